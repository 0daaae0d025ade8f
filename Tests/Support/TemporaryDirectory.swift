import Glibc
package import Platform
import Synchronization

/// A directory for one test, removed with all it holds when the test lets go of it.
package final class TemporaryDirectory: Sendable {
    package let path: String
    private static let made = Atomic<UInt64>(0)

    package init(_ label: String = "test") throws(Failure) {
        let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        let number = Self.made.wrappingAdd(1, ordering: .relaxed).newValue
        path = "\(base)/breakwater-\(label)-\(getpid())-\(number)"
        if mkdir(path, 0o700) != 0 { throw Failure.system(errno, "cannot make \(path)") }
    }

    deinit { Self.clear(Array(path.utf8)) }

    /// The path of something in it.
    package func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Removes a tree, whatever modes its directories have.
    package static func clear(_ path: [UInt8]) {
        if let directory = try? Directory(at: path) {
            if fchmod(directory.number, 0o700) == 0, let entries = try? directory.entries() {
                for entry in entries {
                    if (try? directory.remove(entry.name)) == nil {
                        clear(path + [UInt8(ascii: "/")] + entry.name)
                    }
                }
            }
        }
        _ = Name.with(path) { rmdir($0) }
    }
}
