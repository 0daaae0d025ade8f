import ObjectStore
import Platform
import Support

/// The objects of one vault in memory, and the mail that is still under way to it: puts and deletes that a network
/// delivers late, the first time or a second, long after whoever sent them went on.
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
        var torn = 0
    }

    let location: String
    private let state: Monitor<State>
    /// Chance in a thousand that a put or a delete comes once more; a quarter as often it comes late only.
    private let lateness: Int
    private let tearsListings: Bool

    init(_ location: String, seed: UInt64, lateness: Int, tearsListings: Bool) {
        self.location = location
        self.lateness = lateness
        self.tearsListings = tearsListings
        state = Monitor(State(seed: Seed(seed)))
    }

    var delivered: Int { state.access { $0.delivered } }
    var torn: Int { state.access { $0.torn } }

    /// When the programs have ended, everything has arrived that was sent.
    static let afterwards = Int.max

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

    /// Most mail is some hundred calls late; some comes when everybody has ended.
    private static func due(_ step: Int, _ seed: inout Seed) -> Int {
        seed.below(5) == 0 ? afterwards : step + 1 + seed.below(400)
    }

    func perhapsAgain(_ key: String, _ bytes: [UInt8]?, after step: Int) {
        state.access { state in
            guard state.seed.below(1000) < lateness else { return }
            state.late.append(Late(due: Self.due(step, &state.seed), key: key, bytes: bytes))
        }
    }

    /// Whether the request is on its way while its sender has given up waiting for an answer.
    func isHeldUp(_ key: String, _ bytes: [UInt8]?, at step: Int) -> Bool {
        state.access { state in
            guard state.seed.below(4000) < lateness else { return false }
            state.late.append(Late(due: Self.due(step, &state.seed), key: key, bytes: bytes))
            return true
        }
    }

    /// A listing from which an object is missing here and there, as if it was made while others came and went. Slots and
    /// site keys are found by listings alone, so the store's contract has to hold for those.
    func tear(_ found: [StoredObject], prefix: String) -> [StoredObject] {
        guard tearsListings, prefix != "slots/", prefix != "sitekeys/" else { return found }
        return state.access { state in
            let left = found.filter { _ in state.seed.below(12) != 0 }
            state.torn += found.count - left.count
            return left
        }
    }
}

/// A vault as one program sees it: each call waits for its turn.
final class TurnStore: MendingStore {
    private let sea: Sea
    private let turns: Interleaving?
    private let program: Int
    private let isPunctual: Bool

    /// Without turns: a look from outside, when the programs have ended.
    /// - Parameter isPunctual: none of its mail is late.
    init(_ sea: Sea, _ turns: Interleaving? = nil, program: Int = 0, isPunctual: Bool = false) {
        self.sea = sea
        self.turns = turns
        self.program = program
        self.isPunctual = isPunctual || turns == nil
    }

    var location: String { sea.location }

    private func step(_ call: String) throws(Failure) -> Int {
        guard let turns else { return Sea.afterwards }
        return try turns.awaitTurn(program, "\(sea.location) \(call)")
    }

    func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        let step = try step("put \(key) \(copy.count)")
        if !isPunctual, sea.isHeldUp(key.text, copy, at: step) { throw Self.noAnswer }
        let isNew = sea.access(at: step) { objects in
            guard objects[key.text] == nil else { return false }
            objects[key.text] = copy
            return true
        }
        guard isNew else { throw Failure(.exists, "\(key) is already in \(location)") }
        if !isPunctual { sea.perhapsAgain(key.text, copy, after: step) }
    }

    func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        sea.access(at: try step("replace \(key) \(copy.count)")) { $0[key.text] = copy }
    }

    private static let noAnswer = Failure(.unknownOutcome, "no answer came")

    func get(_ key: StoreKey, range: Range<UInt64>) throws(Failure) -> [UInt8] {
        let found = sea.access(at: try step("get \(key) \(range)")) { $0[key.text] }
        guard let found else { throw Failure(.notFound, "\(key) is not in \(location)") }
        guard range.upperBound <= UInt64(found.count) else { throw Failure(.damaged, "\(key) ends early") }
        return Array(found[Int(range.lowerBound)..<Int(range.upperBound)])
    }

    func length(of key: StoreKey) throws(Failure) -> UInt64? {
        sea.access(at: try step("length \(key)")) { $0[key.text].map { UInt64($0.count) } }
    }

    func delete(_ key: StoreKey) throws(Failure) {
        let step = try step("delete \(key)")
        if !isPunctual, sea.isHeldUp(key.text, nil, at: step) { throw Self.noAnswer }
        sea.access(at: step) { $0[key.text] = nil }
        if !isPunctual { sea.perhapsAgain(key.text, nil, after: step) }
    }

    func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        let step = try step("list \(prefix) \(after.map { "\($0)" } ?? "")")
        let found = sea.access(at: step) { objects in
            let found = objects.compactMap { text, bytes in
                StoreKey(text).map { StoredObject(key: $0, length: UInt64(bytes.count)) }
            }
            .filter { object in object.key.text.hasPrefix(prefix) && (after.map { $0 < object.key } ?? true) }
            return Array(found.sorted { $0.key < $1.key }.prefix(limit))
        }
        return turns == nil ? found : sea.tear(found, prefix: prefix)
    }

    func space() throws(Failure) -> StoreSpace? { nil }
}
