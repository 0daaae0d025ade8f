import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Synchronization

/// Backs up one desktop some times over; new content each time, with much in common with everybody's.
struct WriterProgram {
    let berth: Berth
    let store: any ObjectStore
    let rounds: Int
    var seed: Seed
    /// The same for all writers of a run.
    let blocks: [[UInt8]]
    /// Others go on until it has ended.
    var isAwaited = true

    mutating func run() {
        for round in 0..<rounds {
            var content: [UInt8] = []
            for _ in 0..<2 { content += blocks[seed.below(blocks.count)] }
            content += seed.bytes(1500)
            let label = "\(berth.name)-\(round)"
            berth.ledger.note { $0.contents[label] = content }
            berth.persistently { try backUp(content, label) }
        }
        if berth.turns.hasSlept(berth.number) { berth.ledger.count(.slept) }
        if isAwaited { berth.ledger.note { $0.working -= 1 } }
    }

    private mutating func backUp(_ content: [UInt8], _ label: String) throws {
        let (ledger, name) = (berth.ledger, berth.name)
        ledger.note { if $0.thief != nil, !$0.isRevoked { $0.exposed.insert(label) } }
        let repository = try berth.harbour.open(store, surroundings: berth.surroundings)
        let time = berth.surroundings.now()
        var options = BackupSession.Options()
        options.workers = 1
        options.packBytes = 4096
        var staging = BackupSession.Staging(name: name, time: time, host: label)
        // By hand, so that one seed gives one order.
        (staging.bytes, staging.pause) = (.max, .max)
        options.staging = staging
        let session = try repository.beginBackup(options)
        do {
            var writer = session.makeContentWriter(.data)
            try writer.append(Array(content.prefix(content.count / 2)))
            if seed.below(2) == 0 {
                try session.stage()
                ledger.count(.staged)
            }
            try writer.append(Array(content.dropFirst(content.count / 2)))
            let reference = try writer.finish()
            if seed.below(8) == 0 {
                try session.interrupt()
                throw Failure(.unreachable, "interrupted")
            }
            let snapshot = try session.commit(
                .init(
                    name: name, time: time, host: label,
                    streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
            ledger.note { $0.committed.insert(snapshot.id) }
            ledger.count(.committed)
        } catch {
            try? session.interrupt()
            throw error
        }
    }
}

/// Copies the origin again and again.
struct CopierProgram {
    let berth: Berth
    let origin: any ObjectStore
    let copy: any ObjectStore
    let rounds: Int

    func run() {
        for _ in 0..<rounds { berth.persistently { try copyOnce() } }
        berth.ledger.note { $0.working -= 1 }
    }

    private func copyOnce() throws {
        var options = Replicator.Options()
        options.workers = 1
        let report = try Replicator(
            from: origin, to: copy, siteKeys: berth.siteKeys, heads: NoHeadMemory(),
            surroundings: berth.surroundings, options: options
        ).run()
        berth.ledger.count(.copied, report.copied.count)
        // What a stolen writer committed, or led astray, may be hollow: it must not keep the rest from being copied.
        let isThief = berth.ledger.contents.thief != nil
        guard let shortfall = isThief ? report.interruption : report.shortfall else { return }
        throw Failure(.damaged, shortfall.what)
    }
}

final class SharedSiteKeys: SiteKeys {
    private let keys = Mutex<[String: SigningKey]>([:])
    private let surroundings: Surroundings

    init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    func find(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey? { find(at: location) }
    func find(at location: String) -> SigningKey? { keys.withLock { $0[location] } }

    func make(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey {
        let key = try SigningKey(random: surroundings)
        return keys.withLock {
            if let known = $0[location] { return known }
            $0[location] = key
            return key
        }
    }

    func keep(_ key: SigningKey, at location: String) { keys.withLock { $0[location] = key } }
}
