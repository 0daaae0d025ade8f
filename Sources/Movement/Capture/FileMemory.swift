import Glibc
package import Platform
import Repository
package import Sealing
import Synchronization

/// Remembers, from one capture to the next, where the content of a file went, so that a file that has not changed is
/// not read again. Kept by the client beside its other state, sealed: it is a convenience, and without it every file
/// is read.
///
/// A file is known by what the kernel says of it (`FileIdentity`), its time of change included, which programs cannot
/// set. Two changes within one tick of the kernel's clock look the same, so a file that changed within the last two
/// seconds before it was read is not remembered.
///
/// What is recalled is leant on only after the session has found every chunk of it in packs that stand: a memory that
/// is old, or of a session that was never committed, costs time and nothing else.
package final class FileMemory: Sendable {
    private struct Key: Hashable {
        var high: UInt64
        var low: UInt64
    }

    private struct State {
        /// Of the capture before: the encoded contents, and where each lies.
        var old: [UInt8] = []
        var places: [Key: Range<Int>] = [:]
        /// Of this capture, as it will be written.
        var new: [UInt8] = []
    }

    private let path: AbsolutePath
    private let secret: WriterSecret
    private let repository: RepositoryID
    private let surroundings: Surroundings
    private let state: Mutex<State>

    private static let magic = Array("BWFM".utf8) + [1]
    private static let saltByteCount = 32
    private static let largest: UInt64 = 1 << 30
    private static let settled: Int64 = 2

    /// What was saved at `path` by an earlier capture into this repository; empty when that cannot be had or opened.
    /// - Parameter isEmpty: begin with nothing, and read every file.
    package init(
        at path: AbsolutePath, secret: WriterSecret, repository: RepositoryID, surroundings: Surroundings,
        isEmpty: Bool = false
    ) {
        self.path = path
        self.secret = secret
        self.repository = repository
        self.surroundings = surroundings
        state = Mutex((isEmpty ? nil : try? Self.load(path, secret, repository)) ?? State())
    }

    /// The content that was stored for this file, if it was remembered.
    func recall(_ file: FileIdentity) -> ContentRef? {
        let key = Self.key(file)
        return state.withLock { state in
            guard let place = state.places[key] else { return nil }
            var decoder = CanonicalDecoder(Array(state.old[place]), "a remembered file")
            return try? ContentRef(from: &decoder)
        }
    }

    func remember(_ file: FileIdentity, _ content: ContentRef) {
        let now = surroundings.now().nanoseconds / 1_000_000_000
        guard file.changedSeconds + Self.settled < now else { return }
        let key = Self.key(file)
        let record = CanonicalEncoder.bytes { encoder in
            for word in [key.high, key.low] { encoder.raw(Self.bytes(word)) }
            encoder.string(CanonicalEncoder.bytes { content.encode(to: &$0) })
        }
        state.withLock { $0.new += record }
    }

    /// Writes what this capture saw in place of what the one before saw. Call it once the snapshot is committed.
    package func save() throws(Failure) {
        guard let name = path.components.last else { return }
        let plain = state.withLock { $0.new }
        let header = Self.magic + surroundings.random(Self.saltByteCount)
        let sealed = AESGCM.seal(
            plain, key: Self.key(secret, header), associated: header + repository.digest.bytes)
        let parent = AbsolutePath(components: path.components.dropLast())
        try Directory.make(at: parent.bytes)
        let directory = try Directory(at: parent.bytes)
        let temporary = name + Array(".\(Hex.encode(surroundings.random(8)))".utf8)
        do throws(Failure) {
            let file = Descriptor(
                owning: try directory.openBeneath(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o600),
                label: path.description)
            try file.write(header)
            try file.write(sealed)
            try file.close()
            try directory.replace(name, with: temporary)
        } catch {
            _ = try? directory.remove(temporary)
            throw error
        }
    }

    // MARK: - Reading what was saved

    private static func load(
        _ path: AbsolutePath, _ secret: WriterSecret, _ repository: RepositoryID
    ) throws(Failure) -> State {
        let file = try Descriptor.open(path.description, O_RDONLY)
        let size = try file.size()
        let headerByteCount = magic.count + saltByteCount
        guard size <= largest, size > UInt64(headerByteCount) else { throw Failure(.damaged, "no memory of files") }
        let bytes = try file.readSome(limit: Int(size))
        guard bytes.count == Int(size), Array(bytes[..<magic.count]) == magic else {
            throw Failure(.damaged, "no memory of files")
        }
        let header = Array(bytes[..<headerByteCount])
        var state = State()
        state.old = try AESGCM.open(
            Array(bytes[headerByteCount...]), key: key(secret, header), associated: header + repository.digest.bytes)
        var decoder = CanonicalDecoder(state.old, "a memory of files")
        while decoder.remaining > 0 {
            let key = Key(high: word(try decoder.raw(8)), low: word(try decoder.raw(8)))
            let content = try decoder.string()
            state.places[key] = decoder.offset - content.count..<decoder.offset
        }
        return state
    }

    private static func key(_ secret: WriterSecret, _ header: [UInt8]) -> [UInt8] {
        HKDF.derive(key: secret.secret, salt: header, info: Array("breakwater file memory v1".utf8), count: 32)
    }

    private static func key(_ file: FileIdentity) -> Key {
        var bytes: [UInt8] = []
        for word in [
            file.fileSystem, file.inode, file.size, UInt64(bitPattern: file.modifiedSeconds),
            UInt64(file.modifiedNanoseconds), UInt64(bitPattern: file.changedSeconds), UInt64(file.changedNanoseconds),
        ] { bytes += Self.bytes(word) }
        let digest = SHA256.hash(bytes)
        return Key(high: digest.words.0, low: digest.words.1)
    }

    private static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }

    private static func word(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
