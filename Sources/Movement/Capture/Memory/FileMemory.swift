import Glibc
package import Platform
import Repository
package import Sealing

/// Remembers, from one capture to the next, where the content of a file went, so that a file that has not changed is
/// not even opened. Kept by the client beside its other state, sealed: it is a convenience, and without it every file
/// is read.
///
/// A file is known by what the kernel says of it (`FileIdentity`), its time of change included, which programs cannot
/// set. Two changes within one tick of the kernel's clock look the same, so a file that changed within the last two
/// seconds before it was read is not remembered.
///
/// What is recalled is leant on only after the session has found every chunk of it in packs that stand: a memory that
/// is old, or of a session that was never committed, costs time and nothing else. So a capture that is cut off leaves
/// what it wrote, and the next one looks there, too.
///
/// The chunks of a large file are listed one by one; lists and records go to the disk as they come. In memory are one
/// frame and sixteen bytes for each file that an earlier capture remembered.
package final class FileMemory: Sendable {
    private struct State {
        /// Of captures before.
        var old: [MemoryFile] = []
        /// Of this capture; nil where none can be written.
        var new: MemoryJournal?
        var problem: Failure?
        /// Chunks of the file that is being read, and where those that are written already begin.
        var noted: [UInt8] = []
        var notedFrom: UInt64?
    }

    struct Remembered {
        var content: ContentRef
        var attributes: [TreeEntry.ExtendedAttribute]
    }

    private let path: AbsolutePath
    private let surroundings: Surroundings
    private let state: Monitor<State>

    private static let settled: Int64 = 2
    /// What a capture that was cut off has written.
    private static let cut = ".cut"

    /// What was saved at `path` by earlier captures into this repository; empty when that cannot be had or opened. While
    /// another capture writes there, this one leaves nothing behind.
    /// - Parameter isEmpty: begin with nothing, and read every file.
    package init(
        at path: AbsolutePath, secret: WriterSecret, repository: RepositoryID, surroundings: Surroundings,
        isEmpty: Bool = false
    ) {
        self.path = path
        self.surroundings = surroundings
        let journal = try? Self.journal(path, secret, repository, surroundings)
        var old: [MemoryFile] = []
        if !isEmpty {
            for suffix in ["", Self.cut] {
                if let file = MemoryFile(Self.path(path, suffix), secret, repository) { old.append(file) }
            }
        }
        state = Monitor(State(old: old, new: journal))
    }

    private static func path(_ path: AbsolutePath, _ suffix: String) -> AbsolutePath {
        var path = path
        if let last = path.components.popLast() { path.components.append(last + Array(suffix.utf8)) }
        return path
    }

    /// Sets what a capture that was cut off has written aside, and begins anew.
    private static func journal(
        _ path: AbsolutePath, _ secret: WriterSecret, _ repository: RepositoryID, _ surroundings: Surroundings
    ) throws(Failure) -> MemoryJournal? {
        let cut = (path.components.last ?? []) + Array(Self.cut.utf8)
        return try MemoryJournal.begin(beside: path, secret, repository, surroundings) {
            directory, writing, size throws(Failure) in
            // Of two that were cut off, the longer one remembers more.
            if let other = try directory.status(of: cut), other.size > size {
                _ = try directory.remove(writing)
            } else {
                try directory.replace(cut, with: writing)
            }
        }
    }

    // MARK: - Recalling

    /// What was stored for this file, if it was remembered and every chunk of it can be leant on; `session` then leans
    /// on it, and it is remembered on.
    func recall(_ file: FileIdentity, _ session: BackupSession) -> Remembered? {
        let key = MemoryFormat.Key(file)
        return state.access { state in
            for memory in state.old {
                guard let found = memory.find(key) else { continue }
                let leans = session.lean(on: found.content) { has in
                    memory.forEachStretch(in: found.chunks) { ids in
                        stride(from: 0, to: ids.count, by: Digest.byteCount).allSatisfy { at in
                            Digest(ids[at..<at + Digest.byteCount]).map { has(ChunkID($0)) } ?? false
                        }
                    }
                }
                guard leans else { continue }
                Self.write(to: &state) { journal throws(Failure) in
                    let begin = journal.position
                    var problem: Failure?
                    _ = memory.forEachStretch(in: found.chunks) { ids in
                        do throws(Failure) { try journal.append(.chunks, ids) } catch { problem = error }
                        return problem == nil
                    }
                    if let problem { throw problem }
                    try Self.append(key, begin, found.content, found.attributes, journal)
                }
                return Remembered(content: found.content, attributes: found.attributes)
            }
            return nil
        }
    }

    // MARK: - Remembering

    /// The next file is read: what was noted of one before it is not of this.
    func begin() {
        state.access { state in
            state.noted.removeAll(keepingCapacity: true)
            state.notedFrom = nil
        }
    }

    /// A chunk of the file that is being read, or of the list of its chunks.
    func note(_ chunk: ChunkID) {
        guard chunk != .hole else { return }
        state.access { state in
            chunk.digest.append(to: &state.noted)
            if state.noted.count >= MemoryFormat.mostIDs * Digest.byteCount { Self.writeNoted(&state) }
        }
    }

    /// The file that was read since `begin`, as it was stored.
    func remember(_ file: FileIdentity, _ content: ContentRef, _ attributes: [TreeEntry.ExtendedAttribute]) {
        let now = surroundings.now().nanoseconds / 1_000_000_000
        guard file.changedSeconds + Self.settled < now else { return }
        state.access { state in
            // Without a list below it, the content says itself which its chunks are.
            if content.depth > 0 { Self.writeNoted(&state) }
            let from = content.depth > 0 ? state.notedFrom : nil
            Self.write(to: &state) { journal throws(Failure) in
                try Self.append(
                    MemoryFormat.Key(file), from ?? journal.position, content, attributes, journal)
            }
        }
    }

    private static func append(
        _ key: MemoryFormat.Key, _ begin: UInt64, _ content: ContentRef, _ attributes: [TreeEntry.ExtendedAttribute],
        _ journal: MemoryJournal
    ) throws(Failure) {
        let payload = MemoryFormat.file(key, chunksBegin: journal.position - begin, content, attributes)
        // A file with attributes of such a size is read again.
        if payload.count <= MemoryFormat.longestItem { try journal.append(.file, payload) }
    }

    private static func writeNoted(_ state: inout State) {
        guard !state.noted.isEmpty else { return }
        let noted = state.noted
        state.noted.removeAll(keepingCapacity: true)
        state.notedFrom = state.notedFrom ?? state.new?.position
        write(to: &state) { journal throws(Failure) in try journal.append(.chunks, noted) }
    }

    /// What cannot be written is remembered no more: the capture goes on.
    private static func write(to state: inout State, _ body: (MemoryJournal) throws(Failure) -> Void) {
        guard let journal = state.new else { return }
        do throws(Failure) {
            try body(journal)
        } catch {
            state.problem = error
            state.new = nil
        }
    }

    // MARK: - The end

    /// Puts what this capture saw in place of what the ones before saw. Call it once the snapshot is committed.
    package func save() throws(Failure) {
        try finish { directory, name throws(Failure) in
            try directory.replace(name, with: MemoryJournal.writing(name))
            _ = try directory.remove(name + Array(Self.cut.utf8))
        }
    }

    /// Leaves what this capture saw beside what the ones before saw, for the one that goes on from here.
    package func leave() throws(Failure) { try finish { _, _ throws(Failure) in } }

    private func finish(_ place: (borrowing Directory, [UInt8]) throws(Failure) -> Void) throws(Failure) {
        let (journal, problem) = state.access { state in
            defer { state.new = nil }
            return (state.new, state.problem)
        }
        if let problem { throw problem }
        guard let journal, let name = path.components.last else { return }
        try journal.flush()
        try place(try Directory(at: AbsolutePath(components: path.components.dropLast()).bytes), name)
    }
}
