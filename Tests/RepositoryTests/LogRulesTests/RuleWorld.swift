import Platform
import Repository
import Sealing
import Support

/// A log without a store: records made one by one, judged by the rules alone.
final class RuleWorld {
    /// Pages and sets by digest, as a vault would hold them.
    final class Pages: PageSource {
        private let held = Monitor([Digest: [UInt8]]())
        private let asked = Monitor(0)
        /// Pages given so far.
        var reads: Int { asked.access { $0 } }
        func page(_ candidates: [ObjectName]) throws(Failure) -> [UInt8] {
            asked.access { $0 += 1 }
            guard let bytes = candidates.lazy.compactMap({ name in self.held.access { $0[name.digest] } }).first else {
                throw Failure(.notFound, "no such page")
            }
            return bytes
        }
        func put(_ bytes: [UInt8]) -> Digest {
            let digest = SHA256.hash(bytes)
            held.access { $0[digest] = bytes }
            return digest
        }
        func lose(_ digest: Digest) { held.access { _ = $0.removeValue(forKey: digest) } }
    }

    struct Author {
        let id: AuthorID
        let key: SigningKey
        let certificate: Statement
    }

    enum Signer {
        case site
        case author(Author)
    }

    let surroundings: Surroundings
    let bundle: KeyBundle
    let site: SigningKey
    let vault: VaultID
    let pages = Pages()
    let writer: Author
    let reader: Author
    let desktop: DesktopID
    let genesis: Record
    var state: LogState

    init(seed: UInt64 = 7) throws {
        surroundings = .seeded(seed)
        bundle = try KeyBundle.make(surroundings: surroundings)
        site = try SigningKey(random: surroundings)
        vault = .random(surroundings)
        writer = try Self.author(.writer, bundle, surroundings)
        reader = try Self.author(.reader, bundle, surroundings)
        desktop = .random(surroundings)
        genesis = try Record(
            repository: bundle.repository, vault: vault, number: 0, previous: .zero, checkpoint: 0, author: .site,
            body: .genesis(charter: bundle.charter, site: site.verifying), key: site)
        state = try LogState(genesis: genesis)
    }

    static func author(
        _ role: Certificate.Role, _ bundle: KeyBundle, _ surroundings: Surroundings, vault: VaultID = .none,
        from record: UInt64 = 0
    ) throws -> Author {
        let key = try SigningKey(random: surroundings)
        let id = AuthorID.random(surroundings)
        let certificate = try bundle.certify(
            key.verifying, author: id, role: role, subject: .session, vault: vault, fromRecord: record)
        return Author(id: id, key: key, certificate: certificate)
    }

    func author(_ role: Certificate.Role, vault: VaultID = .none, from record: UInt64 = 0) throws -> Author {
        try Self.author(role, bundle, surroundings, vault: vault, from: record)
    }

    // MARK: - Records

    func record(_ body: RecordBody, by signer: Signer, checkpoint: UInt64? = nil) throws -> Record {
        let (author, key): (Record.Author, SigningKey) =
            switch signer {
            case .site: (.site, site)
            case .author(let author): (.certified(author.certificate), author.key)
            }
        return try Record(
            repository: bundle.repository, vault: vault, number: state.head + 1, previous: state.headHash,
            checkpoint: checkpoint ?? state.checkpoint?.record ?? 0, author: author, body: body, key: key)
    }

    /// Appends and says what became of it: nil when it is effective, or why it is void.
    @discardableResult
    func append(_ body: RecordBody, by signer: Signer = .site) throws -> String? {
        let before = state
        switch try state.apply(try record(body, by: signer), pages: pages) {
        case .effective: return nil
        case .void(let reason):
            // A void record keeps its number and changes nothing else.
            guard state.objects == before.objects, state.snapshots == before.snapshots, state.claims == before.claims,
                state.head == before.head + 1
            else { throw Failure(.failed, "a void record left a trace") }
            return reason
        }
    }

    // MARK: - Objects and commits

    func random() -> Digest { Digest(surroundings.random(32)) ?? .zero }
    func session() -> SessionID { .random(surroundings) }

    func object(_ kind: ObjectKind, _ session: SessionID, _ digest: Digest? = nil) -> ObjectRef {
        ObjectRef(name: ObjectName(kind: kind, digest: digest ?? random(), session: session), length: 100)
    }

    /// A commit in the making: everything a test wants to get wrong can be changed before `body`.
    struct Draft {
        var session: SessionID
        var packs: [ObjectRef]
        /// Roots in the set; the new packs and what it leans on.
        var roots: Set<Digest>
        var envelope: ObjectRef
        var set: ObjectRef
        var manifest: ObjectRef
        var clear: ClearPart
        var origin: RecordBody.Commit.Origin = .native
        /// What is listed as new, besides the manifest.
        var listed: [ObjectRef]

        var snapshot: Digest { manifest.name.digest }
        var body: RecordBody {
            .commit(
                .init(
                    origin: origin, session: session, manifest: manifest, clear: clear.bytes, objects: .inline(listed)))
        }
    }

    func draft(packs count: Int = 1, leaning: [Digest] = [], session: SessionID? = nil) -> Draft {
        let session = session ?? self.session()
        let packs = (0..<count).map { _ in object(.pack, session) }
        let roots = Set(packs.map(\.name.digest)).union(leaning)
        let envelope = object(.envelope, session)
        let set = object(.set, session, pages.put(PackSet(roots: roots.sorted()).bytes))
        let last = state.newest[desktop]
        let clear = ClearPart(
            repository: bundle.repository, desktop: desktop, generation: last?.generation ?? 1,
            sequence: (last?.sequence ?? 0) + 1, previous: last?.manifest, consistency: .crash,
            readerGeneration: state.newestReader, streams: [.tree], sets: [set.name.digest], leans: [],
            envelopes: [.init(session: session, envelope: envelope.name.digest)], session: session,
            salt: surroundings.random(32))
        return Draft(
            session: session, packs: packs, roots: roots, envelope: envelope, set: set,
            manifest: object(.manifest, session), clear: clear, listed: packs + [envelope, set])
    }

    /// Commits and returns what was committed.
    func commit(packs count: Int = 1, leaning: [Digest] = []) throws -> Draft {
        let draft = draft(packs: count, leaning: leaning)
        if let reason = try append(draft.body, by: .author(writer)) {
            throw Failure(.failed, "a commit was void: \(reason)")
        }
        return draft
    }

    func say(_ content: Statement.Content) throws -> RecordBody {
        .statement(try Statement(content, of: bundle.repository, root: bundle.root))
    }

    func claim(_ scope: RecordBody.ClaimScope) -> (id: ClaimID, body: RecordBody) {
        let id = ClaimID.random(surroundings)
        return (id, .claim(id, scope))
    }

    /// Condemns, counting now.
    func condemn(_ objects: [ObjectRef]) -> RecordBody { .condemn(.inline(objects), counted: state.head) }

    func checkpoint() -> RecordBody {
        .checkpoint(ObjectName(kind: .checkpoint, digest: random(), session: session()), state: state.head)
    }
}
