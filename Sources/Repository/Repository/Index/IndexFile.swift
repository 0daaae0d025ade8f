internal import Glibc
internal import Platform
package import Sealing

/// Whose index a file belongs to. Its blocks open under a key of this repository and vault only.
package struct IndexOwner: Sendable {
    let secret: WriterSecret
    let repository: RepositoryID
    let vault: VaultID

    package init(secret: WriterSecret, repository: RepositoryID, vault: VaultID) {
        self.secret = secret
        self.repository = repository
        self.vault = vault
    }

    func cipher(salt: [UInt8]) -> AESGCM {
        let info = CanonicalEncoder.bytes {
            $0.text("breakwater local index v1")
            $0.digest(repository.digest)
            $0.identifier(vault)
        }
        return AESGCM(key: HKDF.derive(key: secret.indexKey, salt: salt, info: info, count: 32))
    }
}

/// A file of blocks of 4 KiB, each sealed by itself under the file's own key and its own number. Whatever happened to a
/// block, it opens as it was written or not at all: so a cache that anybody may have cut, flipped or exchanged leads
/// nobody astray.
///
/// Block 0 begins with magic, version and the salt of the key in the clear, and holds the counts of the others. It is
/// written last.
package final class IndexFile: Sendable {
    package static let blockSize = 4096
    /// Bytes that a block holds.
    static let payload = blockSize - AESGCM.tagByteCount
    static let magic = Array("BWIX".utf8) + [1] + [UInt8](repeating: 0, count: 11)
    static let saltByteCount = 32
    static let clearByteCount = 48

    private let descriptor: Descriptor
    private let cipher: Monitor<AESGCM>
    /// Of the whole file, block 0 among them.
    let blocks: Int

    /// - Throws: `.damaged` when it is no such file.
    init(_ descriptor: consuming Descriptor, _ owner: IndexOwner) throws(Failure) {
        var start = [UInt8](repeating: 0, count: Self.clearByteCount)
        let got = try descriptor.fill(&start, at: 0)
        let size = try descriptor.size()
        guard got == start.count, Array(start[..<Self.magic.count]) == Self.magic,
            size.isMultiple(of: UInt64(Self.blockSize)), size <= 1 << 46
        else { throw Failure(.damaged, "\(descriptor.label) is no file of a local index") }
        self.descriptor = descriptor
        blocks = Int(size) / Self.blockSize
        cipher = Monitor(owner.cipher(salt: Array(start[Self.magic.count...])))
    }

    /// What block 0 holds.
    func header() throws(Failure) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: Self.blockSize)
        guard try descriptor.fill(&block, at: 0) == block.count else { throw cut(0) }
        let sealed = Array(block[Self.clearByteCount...])
        return try cipher.access { cipher throws(Failure) in
            var plain = [UInt8](repeating: 0, count: sealed.count - AESGCM.tagByteCount)
            var problem: Failure?
            unsafe plain.withUnsafeMutableBytes { target in
                unsafe sealed.withUnsafeBytes { source in
                    do throws(Failure) {
                        try unsafe cipher.open(source, nonce: 0, associated: [], into: target)
                    } catch { problem = error }
                }
            }
            if let problem { throw problem }
            return plain
        }
    }

    /// Reads blocks and opens them where they lie: block i of them holds its payload from i x 4096 on.
    /// - Throws: `.damaged` unless all of them are as they were written.
    func read(_ first: Int, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        let offset = UInt64(first) * UInt64(Self.blockSize)
        guard try unsafe descriptor.read(into: target, at: offset) == target.count else { throw cut(first) }
        try cipher.access { cipher throws(Failure) in
            for number in 0..<target.count / Self.blockSize {
                let start = number * Self.blockSize
                let sealed = unsafe UnsafeRawBufferPointer(rebasing: target[start..<start + Self.blockSize])
                let plain = unsafe UnsafeMutableRawBufferPointer(rebasing: target[start..<start + Self.payload])
                try unsafe cipher.open(sealed, nonce: UInt64(first + number), associated: [], into: plain)
            }
        }
    }

    private func cut(_ block: Int) -> Failure {
        Failure(.damaged, "\(descriptor.label) ends before block \(block)")
    }
}

/// Writes such a file, block after block, through a buffer.
final class IndexFileWriter {
    private let descriptor: Descriptor
    private let cipher: AESGCM
    private let salt: [UInt8]
    private var buffer: [UInt8]
    private var filled = 0
    /// The number of the first block in the buffer.
    private var first = 1
    private static let bufferBlocks = 128

    init(_ descriptor: consuming Descriptor, _ owner: IndexOwner, salt: [UInt8]) {
        precondition(salt.count == IndexFile.saltByteCount)
        self.descriptor = descriptor
        self.salt = salt
        cipher = owner.cipher(salt: salt)
        buffer = [UInt8](repeating: 0, count: Self.bufferBlocks * IndexFile.blockSize)
    }

    /// One block, of at most `IndexFile.payload` bytes; zeros fill it up.
    func append(_ payload: UnsafeRawBufferPointer) throws(Failure) {
        precondition(payload.count <= IndexFile.payload)
        let start = filled * IndexFile.blockSize
        unsafe buffer.withUnsafeMutableBytes { buffer in
            let block = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + IndexFile.blockSize])
            let plain = unsafe UnsafeMutableRawBufferPointer(rebasing: block[..<IndexFile.payload])
            unsafe plain.copyMemory(from: payload)
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: plain[payload.count...])
            unsafe rest.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe cipher.seal(
                UnsafeRawBufferPointer(plain), nonce: UInt64(first + filled), associated: [], into: block)
        }
        filled += 1
        if filled == Self.bufferBlocks { try flush() }
    }

    /// Writes block 0, and opens what was written.
    func finish(header: [UInt8], _ owner: IndexOwner) throws(Failure) -> IndexFile {
        try flush()
        let room = IndexFile.blockSize - IndexFile.clearByteCount - AESGCM.tagByteCount
        precondition(header.count <= room)
        let plain = header + [UInt8](repeating: 0, count: room - header.count)
        var block = IndexFile.magic + salt
        var sealed = [UInt8](repeating: 0, count: room + AESGCM.tagByteCount)
        unsafe sealed.withUnsafeMutableBytes { target in
            unsafe plain.withUnsafeBytes { unsafe cipher.seal($0, nonce: 0, associated: [], into: target) }
        }
        block += sealed
        try descriptor.put(block[...], at: 0)
        return try IndexFile(try descriptor.duplicate(), owner)
    }

    private func flush() throws(Failure) {
        let bytes = buffer[..<(filled * IndexFile.blockSize)]
        try descriptor.put(bytes, at: UInt64(first) * UInt64(IndexFile.blockSize))
        first += filled
        filled = 0
    }
}

extension Descriptor {
    fileprivate func duplicate() throws(Failure) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .system(errno, "cannot open \(label) again") }
        return Descriptor(owning: copy, label: label)
    }

    fileprivate func put(_ bytes: ArraySlice<UInt8>, at offset: UInt64) throws(Failure) {
        guard !bytes.isEmpty else { return }
        var problem: Failure?
        unsafe bytes.withUnsafeBytes { buffer in
            do throws(Failure) { try unsafe write(buffer, at: offset) } catch { problem = error }
        }
        if let problem { throw problem }
    }
}
