import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// A repository in a strict store in memory, from one seed.
final class Estate: Sendable {
    let store: any ObjectStore
    let surroundings: Surroundings
    let bundle: KeyBundle
    let passphrase = Array("correct horse".utf8)

    init(seed: UInt64, store: any ObjectStore = StrictStore(), cut: Charter.CutSizes? = nil) throws {
        self.store = store
        surroundings = .seeded(seed)
        bundle =
            if let cut {
                try KeyBundle.make(cut: cut, surroundings: surroundings)
            } else {
                try KeyBundle.make(surroundings: surroundings)
            }
        let slot = try Slot.wrap(bundle, passphrase: passphrase, cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot.bytes], site: try SigningKey(random: surroundings),
            surroundings: surroundings)
    }

    func open(also alternates: [Repository] = [], resources: Resources = Resources()) throws -> Repository {
        try Repository.open(
            store, .passphrase(passphrase), heads: NoHeadMemory(), surroundings: surroundings, resources: resources,
            also: alternates)
    }

    func bytes(_ count: Int) -> [UInt8] { surroundings.random(count) }

    func backUp(
        _ content: [UInt8], name: String, resources: Resources = Resources(), into repository: Repository? = nil
    ) throws -> Snapshot {
        let session = try (repository ?? open(resources: resources)).beginBackup()
        var writer = session.makeContentWriter(.tree)
        try writer.append(content)
        let reference = try writer.finish()
        return try session.commit(
            .init(
                name: name, time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .machine(reference), bytes: reference.length, files: 0)]))
    }

    func content(of snapshot: Snapshot, in repository: Repository? = nil) throws -> [UInt8] {
        let reader = try SnapshotReader(try repository ?? open(), snapshot)
        guard case .machine(let reference) = snapshot.part.streams[0].content else {
            throw Failure(.failed, "no document")
        }
        var read: [UInt8] = []
        try reader.forEachChunk(of: reference) { chunk, _ in read += try reader.read(chunk.id) }
        return read
    }
}
