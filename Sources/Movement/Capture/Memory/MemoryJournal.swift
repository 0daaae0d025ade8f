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
