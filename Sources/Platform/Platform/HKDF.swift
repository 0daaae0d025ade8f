/// Keys from a key: HKDF with SHA-256 (RFC 5869).
package enum HKDF {
    /// `count` bytes, at most 255 x 32. An empty salt counts as 32 zero bytes, as the standard says.
    package static func derive(key: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
        expand(HMACKey(salt).authenticate(key), info: info, count: count)
    }

    /// The second half alone, for a key that is uniform already.
    package static func expand(_ pseudorandomKey: Digest, info: [UInt8], count: Int) -> [UInt8] {
        precondition(count >= 0 && count <= 255 * Digest.byteCount)
        let key = HMACKey(pseudorandomKey.bytes)
        var out: [UInt8] = []
        out.reserveCapacity(count + Digest.byteCount)
        var block: [UInt8] = []
        var number: UInt8 = 0
        while out.count < count {
            number += 1
            block = key.authenticate(block + info + [number]).bytes
            out += block
        }
        out.removeLast(out.count - count)
        return out
    }
}
