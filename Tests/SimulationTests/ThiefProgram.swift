import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// A stolen writer: it has the file that a machine backs up with and may put what it likes, and appends whatever it likes.
struct ThiefProgram {
    let berth: Berth
    let store: any ObjectStore
    let file: WriterFile
    let rounds: Int
    var seed: Seed

    /// Whatever becomes of it, it tries the next thing.
    mutating func run() {
        for _ in 0..<rounds {
            berth.turns.rest(berth.number, calls: seed.below(200))
            if (try? act()) != nil { berth.ledger.count(.stolen) }
        }
        berth.ledger.note { $0.working -= 1 }
    }

    private mutating func act() throws {
        let keys = Keys(
            writerSecret: file.secret, repository: file.repository,
            author: .init(key: file.key, certificate: file.certificate), site: nil)
        let repository = try berth.harbour.open(store, .granted(keys), surroundings: berth.surroundings)
        let next = repository.log.state.head + 1
        switch seed.below(6) {
        case 0: try backUpJunk(repository)
        case 1: try lieAboutPacks(repository)
        case 2: try append(outsideItsRole(repository.log.state), repository)
        case 3: try put(seed.bytes(40), at: next)
        case 4: try put(seed.bytes(40), at: next + [1, 2, 3, 1 << 40][seed.below(4)])
        default: try commitHollow(repository)
        }
    }

    private func put(_ bytes: [UInt8], at number: UInt64) throws(Failure) {
        try store.putSettled(try Record.key(number), bytes, use: .log)
    }

    /// Puts a record without asking whether it would have an effect.
    private func append(_ body: RecordBody, _ repository: Repository) throws {
        let state = try repository.log.refresh()
        let record = try Record(
            repository: state.repository, vault: state.vault, number: state.head + 1, previous: state.headHash,
            checkpoint: state.checkpoint?.record ?? 0, author: .certified(file.certificate), body: body, key: file.key)
        try put(Record.object(record.bytes), at: record.number)
    }

    /// Things that only others may say.
    private mutating func outsideItsRole(_ state: LogState) throws -> RecordBody {
        let objects = state.objects.sorted { $0.key < $1.key }.map { ObjectRef(name: $0.key, length: $0.value.length) }
        let packs = objects.filter { $0.name.kind == .pack }
        switch seed.below(7) {
        case 0: return .forget(state.snapshots.keys.sorted())
        case 1: return .condemn(.inline(objects), counted: state.head)
        case 2: return .collected(.inline(objects))
        case 3: return .damaged(.inline(packs))
        case 4 where !packs.isEmpty: return .relocate([.init(root: packs[0].name.digest, objects: packs)], counted: 0)
        case 5: return .release(state.claims.keys.min() ?? .random(berth.surroundings))
        default:
            // With a root of its own.
            let root = try SigningKey(random: berth.surroundings)
            return .statement(try Statement(.destroyed, of: state.repository, root: root))
        }
    }

    // MARK: - Data

    private mutating func junk(_ repository: Repository) throws -> (BackupSession, ContentRef) {
        var options = BackupSession.Options()
        (options.workers, options.packBytes) = (1, 4096)
        var staging = BackupSession.Staging(name: berth.name, time: berth.surroundings.now(), host: berth.name)
        (staging.bytes, staging.pause) = (.max, .max)
        options.staging = staging
        let session = try repository.beginBackup(options)
        var writer = session.makeContentWriter(.data)
        try writer.append(seed.bytes(5000))
        return (session, try writer.finish())
    }

    /// As another's desktop, so that its order is disturbed.
    private mutating func backUpJunk(_ repository: Repository) throws {
        let (session, content) = try junk(repository)
        _ = try session.commit(
            .init(
                name: "writer 0", time: berth.surroundings.now(), host: "writer 0-0",
                streams: [.init(label: "", content: .machine(content), bytes: content.length, files: 0)]))
    }

    /// A segment that says of others' packs what is not in them: it takes what honest ones say and mixes up the ids, or
    /// says that its own pack holds all of it.
    private mutating func lieAboutPacks(_ repository: Repository) throws {
        let (session, _) = try junk(repository)
        try session.stage()
        let state = repository.log.state
        guard let secret = repository.keys.secret,
            let stage = state.snapshots.values.first(where: { $0.clear.session == session.id }),
            let own = state.objects.keys.sorted().first(where: { $0.session == session.id && $0.kind == .pack }),
            let victim = state.objects.keys.sorted().filter({ $0.kind == .segment && $0.session != session.id })
                .randomElement(using: &seed)
        else { return }
        var lie = try Segment(
            try repository.objects.read(victim), secret, repository: repository.id, name: victim.path)
        let ids = lie.entries.map(\.id)
        guard !ids.isEmpty else { return }
        for place in lie.entries.indices { lie.entries[place].id = ids[(place + 1) % ids.count] }
        if seed.below(2) == 0 {
            for place in lie.packs.indices {
                (lie.packs[place].root, lie.packs[place].origin) = (own.digest, session.id)
            }
        }
        lie.entries.sort { ($0.id, $0.pack) < ($1.id, $1.pack) }
        let bytes = try lie.seal(secret, repository: repository.id, salt: berth.surroundings.random(32))
        let segment = try Repository.put(bytes, as: .segment, session: session.id, store)
        var clear = stage.clear
        clear.salt = berth.surroundings.random(32)
        try append(try commit(clear, [segment], repository), repository)
    }

    private func commit(_ clear: ClearPart, _ objects: [ObjectRef], _ repository: Repository) throws -> RecordBody {
        let key = SessionKey(
            session: clear.session, repository: repository.id, dataKey: berth.surroundings.random(32))
        let part = SealedPart(
            name: berth.name, time: berth.surroundings.now(), host: berth.name, streams: [], storedBytes: 0,
            incomplete: 0)
        let manifest = try Manifest(
            clear: clear, sealedPart: part, key: key, author: file.key, certificate: file.certificate)
        let reference = try Repository.put(manifest.bytes, as: .manifest, session: clear.session, store)
        return .commit(
            RecordBody.Commit(
                origin: .native, session: clear.session, manifest: reference, clear: manifest.clear.bytes,
                objects: .inline(objects)))
    }

    /// A recovery point of which nothing was ever put but, at best, the set that names a pack.
    private mutating func commitHollow(_ repository: Repository) throws {
        let (state, session) = (repository.log.state, SessionID.random(berth.surroundings))
        func name(_ kind: ObjectKind, _ digest: Digest) -> ObjectRef {
            ObjectRef(name: ObjectName(kind: kind, digest: digest, session: session), length: 900)
        }
        let pack = name(.pack, SHA256.hash(seed.bytes(8)))
        let envelope = name(.envelope, SHA256.hash(seed.bytes(8)))
        let roots = PackSet(roots: [pack.name.digest]).bytes
        let set =
            seed.below(2) == 0
            ? name(.set, SHA256.hash(roots)) : try Repository.put(roots, as: .set, session: session, store)
        let clear = ClearPart(
            repository: repository.id, desktop: .random(berth.surroundings), generation: 1, sequence: 1, previous: nil,
            consistency: .crash, readerGeneration: state.newestReader, streams: [.machine],
            sets: [set.name.digest], leans: [], envelopes: [.init(session: session, envelope: envelope.name.digest)],
            session: session, salt: berth.surroundings.random(32))
        try append(try commit(clear, [pack, envelope, set], repository), repository)
    }
}
