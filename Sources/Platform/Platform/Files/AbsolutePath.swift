internal import Glibc

/// A path from the root, as components: what a person names in a backup, and names again in a list or a restore.
///
/// Made by the letters alone: `.` goes away, `..` takes its parent with it, slashes are one. A relative path starts
/// at the directory the person is in.
package struct AbsolutePath: Hashable, Sendable, CustomStringConvertible {
    package var components: [[UInt8]]

    package init(_ path: [UInt8], from current: [UInt8] = [UInt8(ascii: "/")]) {
        let isRelative = path.first != UInt8(ascii: "/")
        components = []
        let whole = (isRelative ? current + [UInt8(ascii: "/")] : []) + path
        for part in whole.split(separator: UInt8(ascii: "/")).map(Array.init) {
            if part == [UInt8(ascii: ".")] { continue }
            if part == [UInt8(ascii: "."), UInt8(ascii: ".")] {
                _ = components.popLast()
            } else {
                components.append(part)
            }
        }
    }

    package init(_ path: String, from current: [UInt8] = [UInt8(ascii: "/")]) {
        self.init(Array(path.utf8), from: current)
    }

    package init(components: [[UInt8]]) { self.components = components }

    package var bytes: [UInt8] { [UInt8(ascii: "/")] + components.joined(separator: [UInt8(ascii: "/")]) }
    package var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Where this process is.
    package static func current() throws(Failure) -> [UInt8] {
        guard let path = unsafe getcwd(nil, 0) else {
            throw Failure.system(errno, "cannot tell the current directory")
        }
        defer { unsafe free(path) }
        return unsafe Array(UnsafeRawBufferPointer(start: path, count: strlen(path)))
    }
}
