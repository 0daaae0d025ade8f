import ObjectStore
import Platform
import Repository
import Sealing
import Support

/// Random records over one log, most of them effective and some void, judged as a reader judges them.
struct RecordSequence {
    private(set) var state: LogState
    /// Of every record so far, from the genesis.
    private(set) var records: [Record]
    private(set) var voids = 0
    private var seed: Seed
    private let bundle: KeyBundle
    private let site: SigningKey
    private let author: SigningKey
    private let certificate: Statement
    private let surroundings: Surroundings

    init(seed number: UInt64) throws {
        seed = Seed(number)
        surroundings = .seeded(number)
        bundle = try KeyBundle.make(surroundings: surroundings)
        site = try SigningKey(random: surroundings)
        author = try SigningKey(random: surroundings)
        certificate = try bundle.certify(
            author.verifying, author: .random(surroundings), role: .writer, subject: .session)
        let genesis = try Record(
            repository: bundle.repository, vault: .random(surroundings), number: 0, previous: .zero, checkpoint: 0,
            author: .site, body: .genesis(charter: bundle.charter, site: site.verifying), key: site)
        state = try LogState(genesis: genesis)
        records = [genesis]
    }

    /// Appends one record, whatever the rules make of it.
    @discardableResult
    mutating func append(_ body: RecordBody, asSite: Bool = true) throws -> LogState.Verdict {
        let record = try Record(
            repository: bundle.repository, vault: state.vault, number: state.head + 1, previous: state.headHash,
            checkpoint: state.checkpoint?.record ?? 0, author: asSite ? .site : .certified(certificate), body: body,
            key: asSite ? site : author)
        let verdict = try state.apply(record, pages: NoPages())
        if verdict != .effective { voids += 1 }
        records.append(record)
        return verdict
    }

    mutating func step() throws {
        let snapshots = state.snapshots.keys.sorted()
        let objects = state.objects.sorted { $0.key < $1.key }.map { ObjectRef(name: $0.key, length: $0.value.length) }
        switch seed.below(16) {
        case 0, 1: try append(try commit(session: .random(surroundings), native: true), asSite: false)
        case 2:
            let isStage = seed.below(2) == 0
            try append(
                try commit(session: .random(surroundings), native: true, isStage: isStage), asSite: false)
        case 3: try append(try commit(session: .random(surroundings), native: false))
        case 4: try append(.forget(some(snapshots)))
        case 5, 6: try append(.condemn(.inline(some(objects)), counted: state.head))
        case 7: try append(.collected(.inline(some(objects.filter { state.objects[$0.name]?.status == .condemned }))))
        case 8: try append(.damaged(.inline(some(objects))))
        case 9: try append(.claim(.random(surroundings), .session(.random(surroundings))), asSite: seed.below(2) == 0)
        case 10:
            guard let digest = snapshots.randomElement(using: &seed) else { return }
            let scope: RecordBody.ClaimScope =
                switch seed.below(3) {
                case 0: .read(digest)
                case 1: .machine(digest)
                default: .lean(tenant: bundle.repository, snapshot: digest)
                }
            try append(.claim(.random(surroundings), scope))
        case 11: if let claim = state.claims.keys.sorted().randomElement(using: &seed) { try append(.release(claim)) }
        case 12: try append(.statement(try Statement(statement(), of: bundle.repository, root: bundle.root)))
        case 13: try append(.checkpoint(name(.checkpoint, .random(surroundings)), state: state.head))
        case 14: try append(.closeLean(template: bundle.repository, snapshot: snapshots.first ?? digest()))
        default:
            guard let pack = objects.filter({ $0.name.kind == .pack }).randomElement(using: &seed) else { return }
            let repaired = seed.below(2) == 0
            let session = SessionID.random(surroundings)
            let to = ObjectName(kind: .pack, digest: repaired ? pack.name.digest : digest(), session: session)
            try append(
                .relocate(
                    [.init(root: pack.name.digest, objects: [ObjectRef(name: to, length: 9)])], counted: state.head))
        }
    }

    private mutating func statement() -> Statement.Content {
        switch seed.below(4) {
        case 0: .newGeneration(state.newestReader + 1, reader: surroundings.random(32))
        case 1: .retireGenerations(below: state.newestReader)
        case 2: .revoke([.random(surroundings)])
        default: .acceptHead(vault: state.vault, number: state.head, hash: state.headHash)
        }
    }

    /// A commit without sets: rules about packs are another test's.
    func commit(
        session: SessionID, native: Bool, isStage: Bool = false, extra: [ObjectRef] = []
    ) throws -> RecordBody {
        let envelope = name(.envelope, session)
        let desktop = DesktopID.random(surroundings)
        var clear = ClearPart(
            repository: bundle.repository, desktop: desktop, generation: isStage ? 0 : 1, sequence: isStage ? 0 : 1,
            previous: state.newest[desktop]?.manifest, consistency: .crash, readerGeneration: state.newestReader,
            streams: isStage ? [] : [.tree], sets: [], leans: [],
            envelopes: [.init(session: session, envelope: envelope.digest)], session: session,
            salt: surroundings.random(32))
        clear.sealed = digest()
        return .commit(
            RecordBody.Commit(
                origin: native ? .native : .copied(.random(surroundings), record: 7, hash: digest()), session: session,
                manifest: ObjectRef(name: name(.manifest, session), length: 5), clear: clear.bytes,
                objects: .inline(
                    [ObjectRef(name: envelope, length: 3), ObjectRef(name: name(.pack, session), length: 1 << 20)]
                        + extra)))
    }

    func name(_ kind: ObjectKind, _ session: SessionID) -> ObjectName {
        ObjectName(kind: kind, digest: digest(), session: session)
    }
    private func digest() -> Digest { SHA256.hash(surroundings.random(8)) }

    private mutating func some<Element>(_ elements: [Element]) -> [Element] {
        guard !elements.isEmpty else { return [] }
        let count = 1 + seed.below(3)
        return (0..<count).compactMap { _ in elements.randomElement(using: &seed) }
    }
}

/// For logs whose records name no pages and no sets.
struct NoPages: PageSource {
    func page(_ candidates: [ObjectName]) throws(Failure) -> [UInt8] { throw Failure(.notFound, "there are no pages") }
}
