import ObjectStore
import Platform
import Support

/// The objects of one vault in memory, and the mail that is still under way to it: puts and deletes that a network
/// delivers a second time, long after whoever sent them went on.
final class Sea: Sendable {
    private struct Late: Sendable {
        var due: Int
        var key: String
        /// Nil for a delete.
        var bytes: [UInt8]?
    }

    private struct State {
        var objects: [String: [UInt8]] = [:]
        var late: [Late] = []
        var seed: Seed
        var delivered = 0
    }

    let location: String
    private let state: Monitor<State>
    /// Chance in a thousand that a put or a delete comes once more.
    private let lateness: Int

    init(_ location: String, seed: UInt64, lateness: Int) {
        self.location = location
        self.lateness = lateness
        state = Monitor(State(seed: Seed(seed)))
    }

    var delivered: Int { state.access { $0.delivered } }

    /// Delivers what is due, then looks at or changes the objects.
    func access<Result>(at step: Int, _ body: (inout [String: [UInt8]]) -> Result) -> Result {
        state.access { state in
            for late in state.late where late.due <= step {
                state.delivered += 1
                if let bytes = late.bytes {
                    if state.objects[late.key] == nil { state.objects[late.key] = bytes }
                } else {
                    state.objects[late.key] = nil
                }
            }
            state.late.removeAll { $0.due <= step }
            return body(&state.objects)
        }
    }

    func perhapsAgain(_ key: String, _ bytes: [UInt8]?, after step: Int) {
        state.access { state in
            guard state.seed.below(1000) < lateness else { return }
            state.late.append(Late(due: step + 1 + state.seed.below(400), key: key, bytes: bytes))
        }
    }
}

/// A vault as one program sees it: each call waits for its turn.
final class TurnStore: ObjectStore {
    private let sea: Sea
    private let turns: Interleaving?
    private let program: Int

    /// Without turns: a look from outside, when the programs have ended.
    init(_ sea: Sea, _ turns: Interleaving? = nil, program: Int = 0) {
        self.sea = sea
        self.turns = turns
        self.program = program
    }

    var location: String { sea.location }

    private func step() throws(Failure) -> Int {
        guard let turns else { return .max - 1000 }
        try turns.awaitTurn(program)
        return turns.steps
    }

    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        let step = try step()
        let isNew = sea.access(at: step) { objects in
            guard objects[key.text] == nil else { return false }
            objects[key.text] = copy
            return true
        }
        guard isNew else { throw Failure(.exists, "\(key) is already in \(location)") }
        if turns != nil { sea.perhapsAgain(key.text, copy, after: step) }
    }

    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        let found = sea.access(at: try step()) { $0[key.text] }
        guard let found else { throw Failure(.notFound, "\(key) is not in \(location)") }
        guard range.upperBound <= UInt64(found.count) else { throw Failure(.damaged, "\(key) ends early") }
        return Array(found[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    func length(of key: StoreKey) throws(Failure) -> UInt64? {
        sea.access(at: try step()) { $0[key.text].map { UInt64($0.count) } }
    }

    func delete(_ key: StoreKey) throws(Failure) {
        let step = try step()
        sea.access(at: step) { $0[key.text] = nil }
        if turns != nil { sea.perhapsAgain(key.text, nil, after: step) }
    }

    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        sea.access(at: try step()) { objects in
            let found = objects.compactMap { text, bytes in
                StoreKey(text).map { StoredObject(key: $0, length: UInt64(bytes.count)) }
            }
            .filter { object in object.key.text.hasPrefix(prefix) && (after.map { $0 < object.key } ?? true) }
            return Array(found.sorted { $0.key < $1.key }.prefix(limit))
        }
    }

    func space() throws(Failure) -> StoreSpace? { nil }
}
