internal import Glibc

/// Names of files: bytes without NUL, lent to system calls as C strings.
package enum Name {
    /// Lends `name` with a NUL at its end. A name that holds a NUL fails with ENOENT before any call is made,
    /// rather than be cut short there and name another file.
    package static func with<Result>(_ name: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
        let checked = name.contains(0) ? [] : name
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: checked.count + 1) { buffer in
            for (index, byte) in checked.enumerated() { unsafe buffer[index] = CChar(bitPattern: byte) }
            unsafe buffer[checked.count] = 0
            return unsafe body(UnsafePointer(buffer.baseAddress.unsafelyUnwrapped))
        }
    }

    /// Whether `name` can stand for one entry of a directory and for nothing else.
    package static func isEntry(_ name: [UInt8]) -> Bool {
        if name.isEmpty || name.count > 255 { return false }
        if name == [UInt8(ascii: ".")] || name == [UInt8(ascii: "."), UInt8(ascii: ".")] { return false }
        return !name.contains(0) && !name.contains(UInt8(ascii: "/"))
    }
}
