import Browse
import Capture
import Glibc
import Mount
import Platform
import ReadingEstate
import Repository
import Sealing
import Support

/// The repository that all targets share: the same keys in every run, so that what a fuzzer found stays found.
struct FuzzKeys: Sendable {
    static let shared = FuzzKeys.make()
    static let folder = { () -> TemporaryDirectory in
        guard let folder = try? TemporaryDirectory("fuzz") else { preconditionFailure("no folder can be made") }
        return folder
    }()

    let bundle: KeyBundle
    let secret: WriterSecret
    let genesis: LogState
    private let site: SigningKey
    private let author: SigningKey
    private let certificate: Statement

    private static func make() -> FuzzKeys {
        do {
            let surroundings = Surroundings.seeded(1)
            let bundle = try KeyBundle.make(surroundings: surroundings)
            let (site, author) = (
                try SigningKey(random: surroundings), try SigningKey(random: surroundings)
            )
            let genesis = try Record(
                repository: bundle.repository, vault: .random(surroundings), number: 0, previous: .zero, checkpoint: 0,
                author: .site, body: .genesis(charter: bundle.charter, site: site.verifying), key: site)
            return FuzzKeys(
                bundle: bundle, secret: WriterSecret(bundle.writerSecret, repository: bundle.repository),
                genesis: try LogState(genesis: genesis), site: site, author: author,
                certificate: try bundle.certify(
                    author.verifying, author: .random(surroundings), role: .writer, subject: .session))
        } catch { preconditionFailure("\(error)") }
    }

    /// The next record of a log, as its site or a writer signs it.
    func record(_ body: RecordBody, asSite: Bool, after state: LogState) throws(Failure) -> Record {
        try Record(
            repository: bundle.repository, vault: state.vault, number: state.head + 1, previous: state.headHash,
            checkpoint: state.checkpoint?.record ?? 0, author: asSite ? .site : .certified(certificate), body: body,
            key: asSite ? site : author)
    }

    /// A segment whose content is these bytes, as whoever holds the index key can seal it.
    func segment(sealing plain: [UInt8]) throws(Failure) -> Segment {
        let salt = [UInt8](repeating: 7, count: 32)
        let header = Array("BWSG".utf8) + [1] + salt
        let key = HKDF.derive(key: secret.indexKey, salt: salt, info: Array("breakwater segment v1".utf8), count: 32)
        return try Segment(
            header + AESGCM.seal(plain, key: key, associated: header + bundle.repository.digest.bytes), secret,
            repository: bundle.repository, name: "a segment")
    }

    /// A memory of files whose first frame holds these bytes.
    func memory(sealing plain: [UInt8]) -> [UInt8] {
        let header = MemoryFormat.magic + [UInt8](repeating: 7, count: MemoryFormat.saltByteCount)
        let key = HKDF.derive(
            key: secret.secret, salt: header, info: Array("breakwater file memory v2".utf8), count: 32)
        let frame = Array(plain.prefix(MemoryFormat.frameByteCount))
        return header + AESGCM.seal(frame, key: key, associated: header + bundle.repository.digest.bytes)
    }

    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw Failure.system(errno, "cannot write \(path)") }
        defer { close(file) }
        guard bytes.withUnsafeBytes({ Glibc.write(file, $0.baseAddress, $0.count) }) == bytes.count else {
            throw Failure.system(errno, "cannot write \(path)")
        }
    }

    // MARK: - A mount

    private static let readers = { () -> (readers: Readers, snapshot: Snapshot, folder: TemporaryDirectory)? in
        do {
            let estate = try ReadingEstate("fuzz")
            try write(Array("letters\n".utf8), to: estate.source + "/letters")
            try write([UInt8](repeating: 0, count: 5000), to: estate.source + "/zeros")
            guard symlink("letters", estate.source + "/link") == 0 else { return nil }
            let snapshot = try estate.backUp()
            return (try Readers(try estate.open()), snapshot, estate.temporary)
        } catch { return nil }
    }()

    /// Answers the kernel over the snapshots of a small repository.
    static func responder() -> FuseResponder {
        guard let readers else { preconditionFailure("no repository can be made") }
        return FuseResponder(.one(readers.snapshot), readers.readers, limits: MountLimits()) { _ in }
    }
}
