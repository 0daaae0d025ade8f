import Platform
import Repository
import Synchronization

/// A file on its way: it has a temporary name beside its own until its last byte is there.
final class FileJob: Sendable {
    let parent: [UInt8]
    let entry: TreeEntry
    let temporary: [UInt8]
    /// A file of this name stands and is to be replaced.
    let replaces: Bool

    private struct State {
        /// Pieces that were asked for and have neither come nor failed.
        var open = 0
        /// All pieces were asked for.
        var isAsked = false
        var isMade = false
        var problem: Failure?
    }
    private let state = Mutex(State())

    init(parent: [UInt8], entry: TreeEntry, temporary: [UInt8], replaces: Bool) {
        self.parent = parent
        self.entry = entry
        self.temporary = temporary
        self.replaces = replaces
    }

    var path: [UInt8] { parent.isEmpty ? entry.name : parent + [UInt8(ascii: "/")] + entry.name }
    var description: String { "/" + String(decoding: path, as: UTF8.self) }
    var problem: Failure? { state.withLock { $0.problem } }
    var isMade: Bool { state.withLock { $0.isMade } }

    func fail(_ problem: Failure) { state.withLock { $0.problem = $0.problem ?? problem } }

    func ask() { state.withLock { $0.open += 1 } }

    /// True when nothing is left to come.
    func askedForAll() -> Bool {
        state.withLock { state in
            state.isAsked = true
            return state.open == 0
        }
    }

    /// A piece came or failed; true when it was the last.
    func settle(_ problem: Failure? = nil) -> Bool {
        state.withLock { state in
            state.open -= 1
            if state.problem == nil { state.problem = problem }
            return state.isAsked && state.open == 0
        }
    }

    /// Runs `make` the first time and `open` from then on; several threads may hold pieces of one file.
    func opening<Result: ~Copyable>(
        make: () throws(Failure) -> Result, open: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try state.withLock { state throws(Failure) -> Result in
            if state.isMade { return try open() }
            let result = try make()
            state.isMade = true
            return result
        }
    }
}
