import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Synchronization

/// Backs up one desktop some times over; new content each time, with much in common with everybody's.
struct WriterProgram {
    let name: String
    let store: any ObjectStore
    let harbour: Harbour
    let ledger: Ledger
    let surroundings: Surroundings
    let rounds: Int
    var seed: Seed
    /// The same for all writers of a run.
    let blocks: [[UInt8]]

    mutating func run() {
        for round in 0..<rounds {
            var content: [UInt8] = []
            for _ in 0..<2 { content += blocks[seed.below(blocks.count)] }
            content += seed.bytes(1500)
            let label = "\(name)-\(round)"
            ledger.note { $0.contents[label] = content }
            ledger.persistently(name) { try backUp(content, label) }
        }
        ledger.note { $0.working -= 1 }
    }

    private mutating func backUp(_ content: [UInt8], _ label: String) throws {
        let repository = try harbour.open(
            store, .granted(try Keys(owning: harbour.bundle, surroundings: surroundings)), surroundings: surroundings)
        var options = BackupSession.Options()
        options.workers = 1
        options.packBytes = 4096
        var staging = BackupSession.Staging(name: name, time: Timestamp(seconds: 1), host: label)
        // By hand, so that one seed gives one order.
        (staging.bytes, staging.pause) = (.max, .max)
        options.staging = staging
        let session = try repository.beginBackup(options)
        do {
            var writer = session.makeContentWriter(.data)
            try writer.append(Array(content.prefix(content.count / 2)))
            if seed.below(2) == 0 {
                try session.stage()
                ledger.note { $0.staged += 1 }
            }
            try writer.append(Array(content.dropFirst(content.count / 2)))
            let reference = try writer.finish()
            if seed.below(8) == 0 {
                try session.interrupt()
                throw Failure(.unreachable, "interrupted")
            }
            let snapshot = try session.commit(
                .init(
                    name: name, time: Timestamp(seconds: 1), host: label,
                    streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
            ledger.note { $0.committed.insert(snapshot.id) }
        } catch {
            try? session.interrupt()
            throw error
        }
    }
}

/// Copies the origin again and again.
struct CopierProgram {
    let name: String
    let origin: any ObjectStore
    let copy: any ObjectStore
    let siteKeys: SharedSiteKeys
    let ledger: Ledger
    let surroundings: Surroundings
    let rounds: Int

    func run() {
        for _ in 0..<rounds {
            ledger.persistently(name) {
                var options = Replicator.Options()
                options.workers = 1
                let report = try Replicator(
                    from: origin, to: copy, siteKeys: siteKeys, heads: NoHeadMemory(), surroundings: surroundings,
                    options: options
                ).run()
                ledger.note { $0.copied += report.copied.count }
                if let shortfall = report.shortfall { throw Failure(.damaged, shortfall.what) }
            }
        }
        ledger.note { $0.working -= 1 }
    }
}

final class SharedSiteKeys: SiteKeys {
    private let keys = Mutex<[String: SigningKey]>([:])
    private let surroundings: Surroundings

    init(_ surroundings: Surroundings) { self.surroundings = surroundings }

    func find(for repository: RepositoryID, at location: String) throws(Failure) -> SigningKey? {
        keys.withLock { $0[location] }
    }

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
