import Glibc
import Platform
import Sealing

/// A memory being written beside the one it is to replace: nothing but the frame at hand is held.
final class MemoryJournal {
    private let file: Descriptor
    private let cipher: AESGCM
    private let associated: [UInt8]
    private var open: [UInt8] = []
    private var number: UInt64 = 0

    /// The name under which a memory of that name is written.
    static func writing(_ name: [UInt8]) -> [UInt8] { name + Array(".new".utf8) }

    /// Begins beside the memory at a path, in whose place this is put when it is done.
    /// - Parameter leftover: takes away what a capture that was cut off has written, of that name and size.
    /// - Returns: nil while another capture writes there.
    static func begin(
        beside path: AbsolutePath, _ secret: WriterSecret, _ repository: RepositoryID, _ surroundings: Surroundings,
        leftover: (borrowing Directory, _ writing: [UInt8], _ size: UInt64) throws(Failure) -> Void
    ) throws(Failure) -> MemoryJournal? {
        let parent = AbsolutePath(components: path.components.dropLast())
        try Directory.make(at: parent.bytes)
        let directory = try Directory(at: parent.bytes)
        guard let name = path.components.last else { return nil }
        let writing = writing(name)
        while true {
            let opened = directory.tryOpenBeneath(writing, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
            guard opened >= 0 else { throw Failure.system(-opened, "cannot write \(path)") }
            let file = Descriptor(owning: opened, label: path.description)
            guard flock(file.number, LOCK_EX | LOCK_NB) == 0 else { return nil }
            // Whoever had it may have renamed it between the two calls.
            let status = try FileStatus(of: file.number, label: file.label)
            guard let named = try directory.status(of: writing), named.inode == status.inode else { continue }
            if status.size == 0 {
                return try MemoryJournal(
                    file, secret, repository, salt: surroundings.random(MemoryFormat.saltByteCount))
            }
            try leftover(directory, writing, status.size)
        }
    }

    /// Takes a new file; the lock on it tells others that somebody writes it.
    init(
        _ file: consuming Descriptor, _ secret: WriterSecret, _ repository: RepositoryID, salt: [UInt8]
    ) throws(Failure) {
        let header = MemoryFormat.magic + salt
        cipher = MemoryFormat.cipher(secret, header: header)
        associated = header + repository.digest.bytes
        try file.write(header)
        self.file = file
        open.reserveCapacity(MemoryFormat.frameByteCount)
    }

    /// Closing is not enough: a child that another thread is just starting has the file too, and with it the lock.
    deinit { flock(file.number, LOCK_UN) }

    /// Where the next item begins.
    var position: UInt64 { number * UInt64(MemoryFormat.frameByteCount) + UInt64(open.count) }

    func append(_ kind: MemoryFormat.Item, _ payload: [UInt8]) throws(Failure) {
        precondition(payload.count <= MemoryFormat.longestItem)
        var bytes = [kind.rawValue]
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift)) }
        bytes += payload
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = rest.prefix(MemoryFormat.frameByteCount - open.count)
            open += taken
            rest = rest.dropFirst(taken.count)
            if open.count == MemoryFormat.frameByteCount { try flush() }
        }
    }

    /// Seals what is open. After a frame that is not full, nothing may be appended.
    func flush() throws(Failure) {
        guard !open.isEmpty else { return }
        let plain = open
        let sealed = unsafe [UInt8](unsafeUninitializedCapacity: plain.count + AESGCM.tagByteCount) { buffer, count in
            unsafe plain.withUnsafeBytes { source in
                unsafe cipher.seal(
                    source, nonce: number, associated: associated,
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: UnsafeMutableRawBufferPointer(buffer)[
                            ..<(plain.count + AESGCM.tagByteCount)]))
            }
            count = plain.count + AESGCM.tagByteCount
        }
        try file.write(sealed)
        number += 1
        open.removeAll(keepingCapacity: true)
    }
}
