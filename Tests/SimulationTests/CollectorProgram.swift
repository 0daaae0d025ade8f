import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// Forgets snapshots and condemns what nobody needs, by the rules: condemn, read it back, delete, collected. Not a
/// collector for use: it forgets at random, and lets go of sessions' claims as if the space were short.
struct CollectorProgram {
    let name: String
    let store: any ObjectStore
    let harbour: Harbour
    let siteKeys: SharedSiteKeys
    let ledger: Ledger
    let surroundings: Surroundings
    let rounds: Int
    let isGreedy: Bool
    var seed: Seed
    private var open: Repository?

    init(
        name: String, store: any ObjectStore, harbour: Harbour, siteKeys: SharedSiteKeys, ledger: Ledger,
        surroundings: Surroundings, rounds: Int, isGreedy: Bool, seed: Seed
    ) {
        self.name = name
        self.store = store
        self.harbour = harbour
        self.siteKeys = siteKeys
        self.ledger = ledger
        self.surroundings = surroundings
        self.rounds = rounds
        self.isGreedy = isGreedy
        self.seed = seed
    }

    /// Goes on until the others have ended, and some rounds more.
    mutating func run() {
        var left = rounds
        for _ in 0..<1000 where left > 0 {
            if ledger.contents.working == 0 { left -= 1 }
            var own = self
            ledger.persistently(name) { try own.round() }
            (seed, open) = (own.seed, own.open)
        }
    }

    private mutating func round() throws {
        guard try store.length(of: try Record.key(0)) != nil,
            let key = try siteKeys.find(for: harbour.bundle.repository, at: store.location)
        else { return }
        let repository = try harbour.open(store, .keyless, site: key, surroundings: surroundings)
        if ledger.contents.working > 0 { try forget(repository) }
        try releaseClaims(repository)
        try condemn(repository)
        try delete(repository)
        try repository.writeCheckpointIfDue(every: 8)
    }

    private mutating func forget(_ repository: Repository) throws {
        let live = repository.log.state.snapshots.filter { !$0.value.isForgotten }
            .sorted { $0.value.record < $1.value.record }.map(\.key)
        // A greedy one lets everything go now and then, so that what others lean on goes, too.
        guard !live.isEmpty, seed.below(isGreedy ? 3 : 5) == 0 else { return }
        let chosen = isGreedy && seed.below(2) == 0 ? live : [live[seed.below(live.count)]]
        ledger.note { $0.forgotten[store.location, default: []].formUnion(chosen) }
        try repository.appendAsSite { _ in .forget(chosen) }
    }

    private mutating func releaseClaims(_ repository: Repository) throws {
        for claim in repository.log.state.claims.sorted(by: { $0.value.record < $1.value.record }).map(\.key)
        where seed.below(2) == 0 { try repository.release(claim) }
    }

    private mutating func condemn(_ repository: Repository) throws {
        var listed: [ObjectRef] = []
        try store.forEach(prefix: "") { object in
            guard let name = ObjectName(path: object.key.text), ![.slot, .siteKey].contains(name.kind) else { return }
            listed.append(ObjectRef(name: name, length: object.length))
        }
        let state = try repository.log.refresh()
        let needed = try state.needed(repository.objects)
        var going: [ObjectRef] = []
        for object in listed {
            let held = state.objects[object.name]
            guard held?.status != .condemned, !needed.contains(object.name.digest),
                state.checkpoint?.object != object.name, !Self.isClaimed(object.name, held, state), seed.below(4) > 0
            else { continue }
            going.append(ObjectRef(name: object.name, length: held?.length ?? object.length))
        }
        guard !going.isEmpty else { return }
        let after = try repository.appendAsSite { .condemn(.inline(going), counted: $0.head) }
        for object in going where after.objects[object.name].map({ $0.status != .condemned }) ?? false {
            ledger.note { $0.problems.append("\(name): \(object.name) was condemned and is not") }
        }
        ledger.note { $0.condemned += going.count }
    }

    private static func isClaimed(_ name: ObjectName, _ held: LogState.Holding?, _ state: LogState) -> Bool {
        state.claims.values.contains { claim in
            guard case .session(let session) = claim.scope else { return false }
            return session == name.session || held.map { $0.since <= claim.record } ?? false
        }
    }

    /// Everything condemned so far, also by a round that did not get to its end.
    private func delete(_ repository: Repository) throws {
        let state = try repository.log.refresh()
        var gone: [ObjectRef] = []
        for (object, held) in state.objects.sorted(by: { $0.key < $1.key }) where held.status == .condemned {
            if [.set, .manifest, .page].contains(object.kind) {
                guard let mark = state.checkpoint, mark.state >= held.changed, mark.record < state.head else {
                    continue
                }
            }
            try store.delete(try object.key())
            gone.append(ObjectRef(name: object, length: held.length))
        }
        guard !gone.isEmpty else { return }
        try repository.appendAsSite { _ in .collected(.inline(gone)) }
    }
}
