import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support

/// One run of everybody against one repository in two vaults, out of one seed.
struct Voyage {
    let seed: UInt64
    let origin: Sea
    let copy: Sea
    let ledger = Ledger()
    let harbour: Harbour
    let siteKeys: SharedSiteKeys
    let turns: Interleaving
    /// The file that a thief has, in every fourth run.
    private let stolen: WriterFile?
    /// Every fifth run ends in destruction.
    private let destroys: Bool
    /// The vault whose disk goes bad, in every fourth run that is not to end in destruction. Nothing is repacked in these, so
    /// that the other vault has the very packs.
    private let sick: Sea?
    private let crew: Int
    /// In every second run one writer falls asleep for a month, at any of its calls.
    private static let sleeper = 7
    private(set) var complaints: [String] = []

    init(seed: UInt64) throws {
        self.seed = seed
        harbour = try Harbour(seed: seed)
        origin = Sea("origin", seed: seed ^ 0xA11CE, lateness: 120, tearsListings: seed % 2 == 1)
        copy = Sea("copy", seed: seed ^ 0xB0B, lateness: 120, tearsListings: seed % 2 == 1)
        siteKeys = SharedSiteKeys(harbour.surroundings)
        var dice = Seed(seed &+ 2000)
        destroys = seed % 5 == 2
        stolen = seed % 4 == 1 ? try WriterFile(name: "stolen", of: harbour.bundle, surroundings: .seeded(seed)) : nil
        sick = seed % 4 == 3 && !destroys ? (seed % 8 == 3 ? origin : copy) : nil
        crew = stolen == nil && sick == nil ? 9 : 10
        turns = Interleaving(
            seed: seed, programs: crew, naps: seed % 2 == 0 ? [Self.sleeper: dice.below(120)] : [:])
        try harbour.make(in: TurnStore(origin))
        siteKeys.keep(harbour.site, at: origin.location)
        let (author, place, isLarge) = (stolen?.author, sick?.location, crew > 9)
        ledger.note {
            $0.thief = author
            $0.sick = place
            $0.working = isLarge ? 5 : 4
        }
    }

    mutating func run() throws {
        var blocksOfAll = Seed(seed &+ 1000)
        let blocks = (0..<4).map { _ in blocksOfAll.bytes(6000) }
        let programs = (0..<crew).map { program(number: $0, blocks: blocks) }
        let turns = turns
        try Workers.concurrently(programs.count) { number in
            programs[number]()
            turns.end(number)
        }
        ledger.count(.late, origin.delivered + copy.delivered)
        ledger.count(.torn, origin.torn + copy.torn)
        complaints += ledger.contents.problems
        var inspection = Inspection(self, blocks: blocks)
        complaints += try inspection.run()
        let astray = inspection.astray
        ledger.count(.astray, astray)
    }

    var isDestroyed: Bool { destroys }

    private func program(number: Int, blocks: [[UInt8]]) -> @Sendable () -> Void {
        let own = seed &* 31 &+ UInt64(number)
        let turns = turns
        var dice = Seed(own)
        func berth(_ name: String) -> Berth {
            Berth(
                name: name, number: number, harbour: harbour, siteKeys: siteKeys, ledger: ledger, turns: turns,
                surroundings: .unsteady(own) { turns.hasSlept(number) })
        }
        // What makes many calls and takes none of them up again has to get through now and then.
        func store(_ sea: Sea, dies: Int? = nil, refusals: Int = 5) -> any ObjectStore {
            FaultyStore(TurnStore(sea, turns, program: number), seed: own ^ UInt64(sea.location.utf8.count)) {
                $0.lostAcknowledgements = 15
                $0.refusals = refusals
                $0.crashAfter = dies
                $0.crashingCallIsDone = seed % 2 == 0
            }
        }
        switch number {
        case 0, 1:
            // Every third run a writer dies in the middle.
            let dies = number == 1 && seed % 3 == 0 ? 20 + dice.below(150) : nil
            var writer = WriterProgram(
                berth: berth("writer \(number)"), store: store(origin, dies: dies), rounds: 3, seed: dice,
                blocks: blocks)
            return program(&writer) { $0.run() }
        case 2:
            let copier = CopierProgram(berth: berth("copier"), origin: store(origin), copy: store(copy), rounds: 4)
            return { copier.run() }
        case 3, 4:
            // In every third run both are at one vault.
            let sea = number == 3 || seed % 3 == 2 ? origin : copy
            // Collectors die at any call, and another takes over.
            let lives = (0..<3).map { _ in store(sea, dies: 10 + dice.below(120)) } + [store(sea)]
            var collector = CollectorProgram(
                berth: berth("collector \(number)"), stores: lives, rounds: 2, isGreedy: seed % 3 == 1,
                repacks: seed % 2 == 0, stillness: seed % 4 < 2 ? 0 : 3600, seed: dice)
            return program(&collector) { $0.run() }
        case 5:
            var restorer = RestorerProgram(berth: berth("restorer"), stores: [store(origin), store(copy)], seed: dice)
            return program(&restorer) { $0.run() }
        case 6:
            var checker = CheckerProgram(
                berth: berth("checker"), stores: [store(origin, refusals: 1), store(copy, refusals: 1)], rounds: 3,
                seed: dice)
            return program(&checker) { $0.run() }
        case Self.sleeper:
            var writer = WriterProgram(
                berth: berth("sleeper"), store: store(origin), rounds: 1, seed: dice, blocks: blocks, isAwaited: false)
            return program(&writer) { $0.run() }
        case 8:
            let lives = (0..<2).map { _ in
                let dies = 30 + dice.below(200)
                return (store(origin, dies: dies, refusals: 1), store(copy, dies: dies, refusals: 1))
            }
            var owner = OwnerProgram(
                berth: berth("owner"), lives: lives + [(store(origin, refusals: 1), store(copy, refusals: 1))],
                deeds: deeds(&dice), seed: dice)
            return program(&owner) { $0.run() }
        default:
            if let sick {
                let sound = sick === origin ? copy : origin
                let lives = (0..<2).map { _ in store(sick, dies: 30 + dice.below(300), refusals: 1) }
                var rot = RotProgram(
                    berth: berth("rot"), sick: sick, sound: sound, lives: lives + [store(sick, refusals: 1)],
                    other: store(sound, refusals: 1), rounds: 4, seed: dice)
                return program(&rot) { $0.run() }
            }
            guard let stolen else { return {} }
            var thief = ThiefProgram(
                berth: berth("thief"), store: TurnStore(origin, turns, program: number, isPunctual: true),
                file: stolen, rounds: 6, seed: dice)
            return program(&thief) { $0.run() }
        }
    }

    private func program<Program: Sendable>(
        _ program: inout Program, _ run: @escaping @Sendable (inout Program) -> Void
    ) -> @Sendable () -> Void {
        let first = program
        return {
            var own = first
            run(&own)
        }
    }

    /// Every second run changes keys; a stolen writer is always revoked.
    private func deeds(_ dice: inout Seed) -> [OwnerProgram.Deed] {
        var deeds: [OwnerProgram.Deed] = seed % 2 == 1 || dice.below(2) == 0 ? [.rotate, .retire, .rotate] : []
        if let author = stolen?.author { deeds.insert(.revoke(author), at: dice.below(deeds.count + 1)) }
        return destroys ? deeds + [.destroy] : deeds
    }
}
