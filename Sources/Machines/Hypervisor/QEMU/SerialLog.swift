internal import Glibc
package import Platform

/// What the guest printed on its serial port, read as it grows. The guest may print for ever: the file is cut when it
/// is large, lines are cut when they are long, and only the end is remembered for messages.
package final class SerialLog {
    private static let longestLine = 4096
    private static let largestFile: UInt64 = 16 << 20
    private static let mostLines = 2000

    private let path: String
    private var place: UInt64 = 0
    private var partial: [UInt8] = []
    private var complete: [String] = []

    package init(path: String) { self.path = path }

    /// The last lines, complete or still growing (a prompt has no end).
    package var lines: [String] { partial.isEmpty ? complete : complete + [Self.printable(partial)] }

    /// Takes in what was printed since the last call, at most one MiB at a time.
    package func readOn() throws(Failure) {
        // QEMU makes it before it answers on its monitor.
        let file = try Descriptor.open(path, O_RDWR)
        let size = try file.size()
        if size < place { place = 0 }
        var buffer = [UInt8](repeating: 0, count: Int(min(size - place, 1 << 20)))
        var problem: Failure?
        var count = 0
        unsafe buffer.withUnsafeMutableBytes { bytes in
            do throws(Failure) { count = unsafe try file.read(into: bytes, at: place) } catch { problem = error }
        }
        if let problem { throw problem }
        place += UInt64(count)
        if place >= Self.largestFile {
            // QEMU appends, so it goes on at the new end.
            try file.truncate(to: 0)
            place = 0
        }
        split(buffer[..<count])
    }

    private func split(_ bytes: ArraySlice<UInt8>) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") || partial.count >= Self.longestLine {
                if !partial.isEmpty { complete.append(Self.printable(partial)) }
                partial.removeAll(keepingCapacity: true)
            }
            if byte != UInt8(ascii: "\n") && byte != UInt8(ascii: "\r") { partial.append(byte) }
        }
        if complete.count > Self.mostLines { complete.removeFirst(complete.count - Self.mostLines) }
    }

    /// The end of it, for a message.
    package var end: String { lines.suffix(5).joined(separator: " / ") }

    /// Control characters would let a guest write on the operator's terminal.
    package static func printable(_ bytes: some Sequence<UInt8>) -> String {
        let text = String(decoding: Array(bytes), as: UTF8.self)
        return String(
            String.UnicodeScalarView(text.unicodeScalars.filter { $0.properties.generalCategory != .control }))
    }
}
