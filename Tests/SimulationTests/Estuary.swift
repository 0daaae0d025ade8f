import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support

/// One run of a tenant whose desktops lean on templates of a base repository, each in two vaults, out of one seed: two
/// desktops, the provider who makes templates, forgets and repacks them, a collector of the tenant's that lets templates go,
/// and the other site, which copies both, forgets, repacks and lets go for itself. All but the base's own records are as
/// unreliable as in a `Voyage`.
struct Estuary {
    let seed: UInt64
    let tenant: Harbour
    let base: Harbour
    let siteKeys: SharedSiteKeys
    let ledger = Ledger()
    let turns: Interleaving
    private let seas: [Place: Sea]
    private let blocks: [[UInt8]]
    private let opened = Monitor([Int: UInt64]())
    /// Of those who go on until the others have ended: they must not keep them from their ends for ever.
    private static let mostRounds = 30

    enum Place: String, CaseIterable { case tenant, base, farTenant, farBase }

    /// What happened, to see that the races are worth their name; `restored` are those that lean.
    enum Event: String, CaseIterable { case committed, leant, copied, leftOut, letGo, forgotten, repacked, restored }
    let counts = Monitor([Event: Int]())

    init(seed: UInt64) throws {
        self.seed = seed
        tenant = try Harbour(seed: seed)
        base = try Harbour(seed: seed ^ 0xBA5E)
        siteKeys = SharedSiteKeys(tenant.surroundings)
        turns = Interleaving(seed: seed, programs: 5)
        var seas: [Place: Sea] = [:]
        for (number, place) in Place.allCases.enumerated() {
            seas[place] = Sea(
                place.rawValue, seed: seed ^ UInt64(number + 1) &* 0xA11CE, lateness: 120, tearsListings: seed % 2 == 1)
        }
        self.seas = seas
        var dice = Seed(seed &+ 1000)
        blocks = (0..<7).map { _ in dice.bytes(DiskRef.blockSize) }
        for (place, harbour) in [(Place.tenant, tenant), (.base, base)] {
            try harbour.make(in: TurnStore(sea(place)))
            siteKeys.keep(harbour.site, at: place.rawValue)
        }
        ledger.note { $0.working = 3 }
    }

    private func count(_ event: Event, _ more: Int = 1) { counts.access { $0[event, default: 0] += more } }

    private func sea(_ place: Place) -> Sea {
        seas[place] ?? Sea("nowhere", seed: 0, lateness: 0, tearsListings: false)
    }

    // MARK: - Running

    func run() throws -> [String] {
        let programs: [@Sendable (inout Seed, Int) -> Void] = [
            { desk(&$0, $1) }, { desk(&$0, $1) }, { provider(&$0, $1) }, { collector(&$0, $1) }, { otherSite(&$0, $1) },
        ]
        try Workers.concurrently(programs.count) { number in
            var dice = Seed(seed &* 31 &+ UInt64(number))
            programs[number](&dice, number)
            turns.end(number)
        }
        return ledger.contents.problems + inspect()
    }

    private func berth(_ name: String, _ number: Int) -> Berth {
        Berth(
            name: name, number: number, harbour: tenant, siteKeys: siteKeys, ledger: ledger, turns: turns,
            surroundings: .seeded(seed &* 31 &+ UInt64(number)))
    }

    private func open(_ place: Place, _ number: Int, base: Repository? = nil) throws -> Repository {
        let own = own(number)
        let store = FaultyStore(TurnStore(sea(place), turns, program: number), seed: own) {
            $0.lostAcknowledgements = 15
            $0.refusals = 2
        }
        return try open(store, place, .seeded(own), base: base)
    }

    /// Another number for each store that a program opens.
    private func own(_ number: Int) -> UInt64 {
        let opened = opened.access { opened in
            opened[number, default: 0] += 1
            return opened[number, default: 0]
        }
        return seed &* 0x9E37_79B9_7F4A_7C15 &+ opened &* 64 &+ UInt64(number)
    }

    private func open(
        _ store: any ObjectStore, _ place: Place, _ surroundings: Surroundings, base: Repository? = nil
    ) throws -> Repository {
        let harbour = place == .base || place == .farBase ? self.base : tenant
        return try Repository.open(
            store, .slot(harbour.passphrase), expecting: harbour.bundle.repository,
            site: siteKeys.find(at: place.rawValue), heads: NoHeadMemory(), surroundings: surroundings, base: base)
    }

    private func exists(_ place: Place) -> Bool {
        sea(place).access(at: Sea.afterwards) { $0["log/0000000000000000"] != nil }
    }

    // MARK: - Programs

    private func desk(_ dice: inout Seed, _ number: Int) {
        let berth = berth("desk \(number)", number)
        for round in 0..<3 {
            let image = (0..<5).flatMap { _ in blocks[dice.below(blocks.count)] } + dice.bytes(DiskRef.blockSize)
            let label = "\(berth.name)-\(round)"
            ledger.note { $0.contents[label] = image }
            berth.persistently {
                let repository = try open(.tenant, number)
                let template = try template(for: repository, &dice, number)
                let snapshot = try backUp(image, berth.name, label, repository, template)
                ledger.note { $0.committed.insert(snapshot) }
                count(.committed)
                if template?.bytes ?? 0 > 0 { count(.leant) }
            }
        }
        ledger.note { $0.working -= 1 }
    }

    /// One of those that there are; none, where it cannot be leant on any more.
    private func template(for repository: Repository, _ dice: inout Seed, _ number: Int) throws -> LeanTemplate? {
        let base = try open(.base, number)
        let points = base.log.state.recoveryPoints
        guard !points.isEmpty else { return nil }
        let chosen = points[dice.below(points.count)].manifest.name.digest.hex
        do {
            return try base.template(chosen, for: repository)
        } catch let failure as Failure where failure.code == .refused { return nil }
    }

    private func backUp(
        _ image: [UInt8], _ name: String, _ label: String, _ repository: Repository, _ template: LeanTemplate?
    ) throws -> Digest {
        var options = BackupSession.Options()
        (options.workers, options.packBytes, options.template) = (1, 3 * DiskRef.blockSize, template)
        let session = try repository.beginBackup(options)
        do {
            var writer = try DiskWriter(session, size: UInt64(image.count))
            for start in stride(from: 0, to: image.count, by: DiskRef.blockSize) {
                try image[start..<start + DiskRef.blockSize].withUnsafeBytes {
                    try writer.put(UInt64(start / DiskRef.blockSize), $0)
                }
            }
            let disk = try writer.finish()
            return try session.commit(
                .init(
                    name: name, time: Timestamp(seconds: 1), host: label,
                    streams: [.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)])
            ).id
        } catch {
            try? session.abandon()
            throw error
        }
    }

    private func provider(_ dice: inout Seed, _ number: Int) {
        let berth = berth("provider", number)
        for round in 0..<5 {
            let image = (0..<4).flatMap { _ in blocks[dice.below(blocks.count)] }
            let label = "template-\(round)"
            ledger.note { $0.contents[label] = image }
            berth.persistently { _ = try backUp(image, "golden", label, open(.base, number), nil) }
            berth.persistently {
                let repository = try open(.base, number)
                let old = repository.log.state.recoveryPoints.map(\.manifest.name.digest)
                if !old.isEmpty, dice.below(2) == 0 { _ = try repository.forget([old[dice.below(old.count)]]) }
                try collect(repository, &dice)
            }
            turns.rest(number, calls: dice.below(300))
        }
        ledger.note { $0.working -= 1 }
    }

    private func collector(_ dice: inout Seed, _ number: Int) {
        let berth = berth("collector", number)
        for _ in 0..<Self.mostRounds where ledger.contents.working > 0 {
            turns.rest(number, calls: dice.below(600))
            berth.persistently { try tidy(.tenant, .base, &dice, number) }
        }
    }

    /// Forgets, collects and lets go in one vault of the tenant.
    private func tidy(_ place: Place, _ basePlace: Place, _ dice: inout Seed, _ number: Int) throws {
        let repository = try open(place, number)
        let live = repository.log.state.recoveryPoints.map(\.manifest.name.digest)
        if !live.isEmpty, dice.below(2) == 0 {
            let going = dice.below(3) == 0 ? live : [live[dice.below(live.count)]]
            ledger.note { $0.forgotten[place.rawValue, default: []].formUnion(going) }
            _ = try repository.forget(going)
            count(.forgotten, going.count)
        }
        try collect(repository, &dice)
        let ending = try LeanEnding(of: repository, in: open(basePlace, number))
        count(.letGo, ending.released.count)
    }

    private func collect(_ repository: Repository, _ dice: inout Seed) throws {
        var options = Collector.Options()
        (options.workers, options.repackBelow) = (1, 0.8)
        options.releasesClaims = dice.below(3) == 0
        var collector = Collector(repository, options)
        let report = try collector.run()
        try repository.writeCheckpointIfDue(every: 8)
        count(.repacked, Int(report.repacked.packs))
    }

    private func otherSite(_ dice: inout Seed, _ number: Int) {
        let berth = berth("other site", number)
        for _ in 0..<Self.mostRounds where ledger.contents.working > 0 {
            turns.rest(number, calls: dice.below(600))
            berth.persistently { try copy(.base, .farBase, base: nil, number) }
            berth.persistently { try copy(.tenant, .farTenant, base: open(.farBase, number), number) }
            berth.persistently {
                let repository = try open(.farBase, number)
                let old = repository.log.state.recoveryPoints.map(\.manifest.name.digest)
                if !old.isEmpty, dice.below(3) == 0 { _ = try repository.forget([old[dice.below(old.count)]]) }
                try collect(repository, &dice)
                if dice.below(2) == 0 { try tidy(.farTenant, .farBase, &dice, number) }
            }
        }
    }

    private func copy(_ from: Place, _ to: Place, base: Repository?, _ number: Int) throws {
        func store(_ place: Place) -> TurnStore { TurnStore(sea(place), turns, program: number) }
        var options = Replicator.Options()
        (options.workers, options.base) = (1, base)
        let report = try Replicator(
            from: store(from), to: store(to), siteKeys: siteKeys, heads: NoHeadMemory(),
            surroundings: .seeded(own(number)), options: options
        ).run()
        count(.copied, report.copied.count)
        // What leans on a template that is not there, or was let go of there, is left out, and nothing else.
        for left in report.damaged where left.problem.code != .notFound || !left.problem.what.contains("template") {
            ledger.complain("other site: \(left.problem)")
        }
        count(.leftOut, report.damaged.count)
    }

    // MARK: - Afterwards

    /// What was committed or copied, and not forgotten there, reads back bit for bit with the base of its site.
    private func inspect() -> [String] {
        var complaints: [String] = []
        for (place, basePlace) in [(Place.tenant, Place.base), (.farTenant, .farBase)] where exists(place) {
            do {
                let base = try open(TurnStore(sea(basePlace)), basePlace, .seeded(seed))
                let repository = try open(TurnStore(sea(place)), place, .seeded(seed), base: base)
                let points = repository.log.state.recoveryPoints
                for committed in points {
                    do {
                        let snapshot = try repository.snapshot(committed)
                        let image = try image(of: snapshot, in: repository)
                        if image == ledger.contents.contents[snapshot.part.host] { continue }
                        complaints.append("\(place): \(snapshot.part.host) reads back otherwise")
                    } catch { complaints.append("\(place): \(committed.manifest.name.digest): \(error)") }
                }
                let gone = ledger.contents.forgotten[place.rawValue] ?? []
                let lost = ledger.contents.committed.subtracting(gone).subtracting(points.map(\.manifest.name.digest))
                if place == .tenant, !lost.isEmpty { complaints.append("\(lost.count) committed snapshots are gone") }
                count(.restored, points.filter { !$0.clear.leans.isEmpty }.count)
            } catch { complaints.append("\(place): \(error)") }
        }
        return complaints
    }

    private func image(of snapshot: Snapshot, in repository: Repository) throws -> [UInt8] {
        guard case .disk(let disk) = snapshot.part.streams.first?.content else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(disk.size))
        let reader = DiskReader(try SnapshotReader(repository, snapshot), disk)
        try bytes.withUnsafeMutableBytes { try reader.read(at: 0, into: $0) }
        return bytes
    }
}
