package import Platform
package import Repository
import Sealing

/// The directories that a restore has made, to be gone through backwards when everything lies in them: the last ones in memory,
/// those before in a file without a name. Where no such file can be made, or it takes no more, the others stay in memory as
/// well: the file only saves memory, and a restore that ended for want of it would leave its directories closed.
package final class MadeDirectories {
    private var recent: [(path: [UInt8], entry: TreeEntry)] = []
    private var size = 0
    private var limit: Int
    private let makeFile: () throws(Failure) -> Descriptor
    private var file: File?
    /// Where in the file each piece lies, in the order of the directories.
    private var pieces: [Range<UInt64>] = []

    private final class File {
        let descriptor: Descriptor
        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
    }

    /// - Parameters:
    ///   - limit: bytes that are held in memory, about.
    ///   - makeFile: makes an empty file for the others; called when it is needed, and once.
    package init(limit: Int = 8 << 20, file makeFile: @escaping () throws(Failure) -> Descriptor) {
        self.limit = limit
        self.makeFile = makeFile
    }

    package func append(_ path: [UInt8], _ entry: TreeEntry) {
        var entry = entry
        // What lies in it is not asked for any more.
        entry.content = .empty
        recent.append((path, entry))
        size += 200 + path.count + entry.name.count
        for attribute in entry.extendedAttributes { size += 64 + attribute.name.count + attribute.value.count }
        guard size >= limit else { return }
        do throws(Failure) { try spill() } catch {
            // What the file has of these is behind its last piece, and not read.
            limit = .max
        }
    }

    private func spill() throws(Failure) {
        let file: File
        if let made = self.file { file = made } else { file = File(try makeFile()) }
        self.file = file
        let bytes = CanonicalEncoder.bytes { encoder in
            for (path, entry) in recent {
                encoder.string(path)
                encoder.raw(entry.framed)
            }
        }
        try file.descriptor.write(bytes)
        let start = pieces.last?.upperBound ?? 0
        pieces.append(start..<start + UInt64(bytes.count))
        (recent, size) = ([], 0)
    }

    /// Each, the last one first.
    /// - Throws: when what was written to the file cannot be read again.
    package func forEachBackwards(_ body: (_ path: [UInt8], TreeEntry) -> Void) throws(Failure) {
        for (path, entry) in recent.reversed() { body(path, entry) }
        guard let file else { return }
        for piece in pieces.reversed() {
            for (path, entry) in try read(piece, of: file).reversed() { body(path, entry) }
        }
    }

    private func read(_ piece: Range<UInt64>, of file: File) throws(Failure) -> [(path: [UInt8], entry: TreeEntry)] {
        var bytes = [UInt8](repeating: 0, count: Int(piece.upperBound - piece.lowerBound))
        let got = try file.descriptor.fill(&bytes, at: piece.lowerBound)
        guard got == bytes.count else { throw Failure(.failed, "\(file.descriptor.label) was cut short") }
        var decoder = CanonicalDecoder(bytes, file.descriptor.label)
        var found: [(path: [UInt8], entry: TreeEntry)] = []
        while decoder.remaining > 0 { found.append((try decoder.string(), try TreeEntry(try decoder.string()))) }
        return found
    }
}
