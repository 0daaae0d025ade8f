import Glibc
package import Platform
import Repository
package import Sealing

/// Remembers, from one backup of a disk to the next, which chunk each of its blocks is, for those who can write and not
/// read: with it, a change map serves them, too. Kept by the client beside its other state, sealed: it is a convenience, and
/// without it the whole disk is read.
///
/// Blocks go to the disk as they come. What is recalled is the word of one snapshot, which it names, or nothing.
package final class DiskMemory {
    private let path: AbsolutePath
    private let secret: WriterSecret
    private let repository: RepositoryID
    /// Of this capture; nil where none can be written.
    private var journal: MemoryJournal?
    private var problem: Failure?
    /// Blocks that follow one another, and are not written yet.
    private var open: (first: UInt64, ids: [ChunkID]) = (0, [])

    /// - Parameter path: of what was saved by the capture before; while another capture writes there, this one leaves
    ///   nothing behind.
    package init(at path: AbsolutePath, secret: WriterSecret, repository: RepositoryID, surroundings: Surroundings) {
        self.path = path
        self.secret = secret
        self.repository = repository
        journal = try? MemoryJournal.begin(beside: path, secret, repository, surroundings) {
            directory, writing, _ throws(Failure) in
            _ = try directory.remove(writing)
        }
    }

    // MARK: - Remembering

    func note(_ block: UInt64, _ id: ChunkID) {
        if block != open.first + UInt64(open.ids.count) || open.ids.count == MemoryFormat.mostIDs { write() }
        if open.ids.isEmpty { open.first = block }
        open.ids.append(id)
    }

    /// Nothing of this capture is remembered.
    func giveUp() { journal = nil }

    private func write() {
        guard let journal, !open.ids.isEmpty else { return open.ids = [] }
        var payload = MemoryFormat.bytes(open.first)
        for id in open.ids { id.digest.append(to: &payload) }
        open.ids.removeAll(keepingCapacity: true)
        append(.blocks, payload, to: journal)
    }

    private func append(_ kind: MemoryFormat.Item, _ payload: [UInt8], to journal: MemoryJournal) {
        do throws(Failure) {
            try journal.append(kind, payload)
        } catch {
            problem = error
            self.journal = nil
        }
    }

    /// Puts what this capture saw in place of what the one before saw. Call it once the snapshot is committed.
    package func save(as snapshot: Digest, _ disk: EarlierDisk.Name) throws(Failure) {
        write()
        if let journal { append(.disk, Self.seal(snapshot, disk), to: journal) }
        if let problem { throw problem }
        guard let journal, let name = path.components.last else { return }
        self.journal = nil
        try journal.flush()
        let directory = try Directory(at: AbsolutePath(components: path.components.dropLast()).bytes)
        try directory.replace(name, with: MemoryJournal.writing(name))
    }

    private static func seal(_ snapshot: Digest, _ disk: EarlierDisk.Name) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.digest(snapshot)
            $0.text(disk.label)
            $0.number(disk.size)
        }
    }

    // MARK: - Recalling

    /// The disk as it was in a snapshot; nil unless all of just that is remembered.
    func recall(_ snapshot: Digest, _ disk: EarlierDisk.Name) -> EarlierDisk? {
        guard let items = MemoryItems(path, secret, repository) else { return nil }
        var (position, end): (UInt64, UInt64) = (0, 0)
        var last: [UInt8] = []
        while let next = try? items.item(position) {
            (end, position) = (position, next.end)
            guard next.kind == .blocks else {
                last = next.payload
                break
            }
        }
        guard last == Self.seal(snapshot, disk) else { return nil }
        let blocks = (disk.size + UInt64(DiskRef.blockSize) - 1) / UInt64(DiskRef.blockSize)
        return EarlierDisk { body in
            var (position, block): (UInt64, UInt64) = (0, 0)
            while position < end {
                let next = try items.item(position)
                position = next.end
                block = max(block, MemoryFormat.word(next.payload.prefix(8)))
                for at in stride(from: 8, to: next.payload.count - Digest.byteCount + 1, by: Digest.byteCount) {
                    guard let id = Digest(next.payload[at..<at + Digest.byteCount]), block < blocks else { break }
                    try body(block, ChunkID(id))
                    block += 1
                }
            }
        }
    }
}
