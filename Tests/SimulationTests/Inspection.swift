import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support

/// What must hold of the vaults when everybody has ended and all mail has arrived.
struct Inspection {
    private let voyage: Voyage
    private let blocks: [[UInt8]]
    private let said: Ledger.Contents
    private var complaints: [String] = []
    /// Snapshots that a stolen writer has led astray, as it can until it is revoked. None reads back otherwise.
    private(set) var astray = 0
    /// Snapshots of the sick vault that lost for good what the other has collected.
    private var gone: Set<Digest> = []

    init(_ voyage: Voyage, blocks: [[UInt8]]) {
        self.voyage = voyage
        self.blocks = blocks
        said = voyage.ledger.contents
    }

    mutating func run() throws -> [String] {
        if voyage.isDestroyed { try nothingReads() } else { try everythingReads() }
        return complaints
    }

    private func open(_ store: TurnStore, _ access: Repository.Access? = nil) throws -> Repository {
        try voyage.harbour.open(store, access, site: voyage.siteKeys.find(at: store.location))
    }

    private func copier(_ origin: TurnStore, _ copy: TurnStore) -> Replicator {
        Replicator(
            from: origin, to: copy, siteKeys: voyage.siteKeys, heads: NoHeadMemory(),
            surroundings: voyage.harbour.surroundings)
    }

    // MARK: - What was committed

    private mutating func everythingReads() throws {
        let (origin, copy) = (TurnStore(voyage.origin), TurnStore(voyage.copy))
        if said.sick != nil { try repairOnceMore(origin, copy) }
        // A quiet copy fills what is left.
        let last = try copier(origin, copy).run()
        let mayLack = said.thief != nil || gone.isSuperset(of: last.damaged.map(\.snapshot)) && !gone.isEmpty
        if let shortfall = mayLack ? last.interruption : last.shortfall {
            complaints.append("the last copy: \(shortfall)")
        }
        let there = try readBack(origin)
        let here = try readBack(copy)
        let lost = said.committed.subtracting(said.forgotten["origin"] ?? []).subtracting(there.seen)
        if !lost.isEmpty { complaints.append("\(lost.count) committed snapshots are not at the origin") }
        let missing = there.whole.subtracting(said.forgotten["copy"] ?? []).subtracting(here.seen)
        if !missing.isEmpty { complaints.append("\(missing.count) snapshots are not in the copy") }
        if said.thief != nil { try backUpOnceMore(origin) }
    }

    /// Every snapshot not forgotten, bit for bit: those there are, and of these the ones that read.
    private mutating func readBack(_ store: TurnStore) throws -> (seen: Set<Digest>, whole: Set<Digest>) {
        let repository = try open(store)
        let place = store.location
        if !repository.log.state.undecided.isEmpty { complaints.append("\(place): nobody can append any more") }
        if said.thief == nil {
            for finding in repository.log.findings {
                complaints.append("\(place): record \(finding.number) \(finding.kind)")
            }
        }
        var whole: Set<Digest> = []
        let points = repository.log.state.recoveryPoints
        for committed in points where committed.author == nil || committed.author != said.thief {
            var label: String?
            do {
                let snapshot = try repository.snapshot(committed)
                if snapshot.manifest.author == said.thief, said.thief != nil { continue }
                label = snapshot.part.host
                guard try repository.machine(of: snapshot) == said.contents[snapshot.part.host] else {
                    complaints.append("\(place): snapshot \(snapshot.part.host) reads back otherwise")
                    continue
                }
                whole.insert(snapshot.id)
            } catch let failure as Failure {
                if place == said.sick, gone.contains(committed.manifest.name.digest) { continue }
                if let label, said.exposed.contains(label) {
                    astray += 1
                } else if label == nil, said.thief != nil {
                    // The thief's own, which its site has copied.
                } else {
                    complaints.append("\(place): snapshot \(label ?? "?"): \(failure)")
                }
            }
        }
        return (Set(points.map(\.manifest.name.digest)), whole)
    }

    /// What rotted last is put back. Of what the other vault had when it rotted and has collected since, nobody has it.
    private mutating func repairOnceMore(_ origin: TurnStore, _ copy: TurnStore) throws {
        let (sick, sound) = said.sick == origin.location ? (origin, copy) : (copy, origin)
        let other = try open(sound, .keyless)
        var repairer = Repairer(
            sick, .slot(voyage.harbour.passphrase), from: [other], site: voyage.siteKeys.find(at: sick.location),
            heads: NoHeadMemory(), surroundings: voyage.harbour.surroundings)
        for item in try repairer.run().left {
            let name = ObjectName(path: item.object)
            guard let name, other.log.state.names(of: name.kind, name.digest).isEmpty else {
                complaints.append("\(sick.location): the last repair left \(item.object): \(item.outcome)")
                continue
            }
            gone.formUnion(item.snapshots)
        }
        voyage.ledger.count(.gone, gone.count)
        let repository = try open(sick)
        if let settlement = try repository.log.planSettlement() { try repository.settle(settlement) }
    }

    /// After the revocation nothing that the thief said leads anybody astray.
    private mutating func backUpOnceMore(_ store: TurnStore) throws {
        let content = Array(blocks.joined())
        let session = try open(store).beginBackup()
        var writer = session.makeContentWriter(.data)
        try writer.append(content)
        let reference = try writer.finish()
        let id = try session.commit(
            .init(
                name: "afterwards", time: voyage.harbour.surroundings.now(), host: "afterwards",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)])
        ).id
        do {
            let repository = try open(store)
            if try repository.machine(of: try repository.findSnapshot(id.hex)) == content { return }
            complaints.append("a backup after the revocation reads back otherwise")
        } catch { complaints.append("a backup after the revocation: \(error)") }
    }

    // MARK: - What was destroyed

    private mutating func nothingReads() throws {
        let (origin, copy) = (TurnStore(voyage.origin), TurnStore(voyage.copy))
        if said.counts[.destroyed] == nil { complaints.append("the destruction came to no end") }
        // A copy that was made beside the destruction learns of it, and whoever collects deletes what came late.
        let isCopied = try copy.length(of: try Record.key(0)) != nil
        complaints += refused("a copy of what was destroyed") { _ = try copier(origin, copy).run() }
        for store in isCopied ? [origin, copy] : [origin] {
            let place = store.location
            let look = try open(store, .keyless)
            if !look.log.state.isDestroyed { complaints.append("\(place): it does not know of its destruction") }
            var collector = Collector(look)
            _ = try collector.run()
            if try !Repository.slotNames(store).isEmpty { complaints.append("\(place): a key slot is left") }
            complaints += refused("\(place): by its slot") { _ = try open(store) }
            let kept = try Keys(owning: voyage.harbour.bundle, surroundings: voyage.harbour.surroundings)
            complaints += refused("\(place): by keys that were kept") { _ = try open(store, .granted(kept)) }
            let left = look.log.state.objects.keys.filter { $0.kind == .pack && (try? look.objects.read($0)) != nil }
            if !left.isEmpty { complaints.append("\(place): \(left.count) packs were not collected") }
        }
    }

    private func refused(_ what: String, _ body: () throws -> Void) -> [String] {
        do {
            try body()
            return ["\(what) was not refused"]
        } catch let failure as Failure where failure.code == .refused {
            return []
        } catch { return ["\(what): \(error)"] }
    }
}
