import Platform
import Restore

/// Paths in a snapshot, as bytes from its root without a slash at either end.
enum TreePath {
    static func join(_ directory: [UInt8], _ name: [UInt8]) -> [UInt8] {
        directory.isEmpty ? name : directory + [UInt8(ascii: "/")] + name
    }
}

/// How deep directories may lie within each other: what no file system has is damage, and must not end the stack.
enum TreeDepth {
    static let most = SnapshotWalk.deepest
    static var failure: Failure { Failure(.damaged, "more than \(most) directories lie within each other") }
}
