internal import COpenSSL

/// A key from a passphrase: scrypt (RFC 7914), slow and memory-hungry on purpose.
package enum Scrypt {
    /// What one derivation may take. The parameters stand in files that anybody may have changed, and must not be
    /// able to take the machine down.
    package static let memoryLimit = 1 << 30

    /// `cost` is N (a power of two), `blockSize` is r, `parallelism` is p; takes 128 x N x r bytes while it runs.
    package static func derive(
        passphrase: [UInt8], salt: [UInt8], cost: Int, blockSize: Int, parallelism: Int, count: Int
    ) throws(Failure) -> [UInt8] {
        guard (2...1 << 24).contains(cost), cost.nonzeroBitCount == 1, (1...1 << 10).contains(blockSize),
            (1...1 << 10).contains(parallelism), (1...1 << 16).contains(count),
            128 * blockSize * (cost + parallelism + 2) <= memoryLimit
        else {
            throw Failure(
                .damaged, "key derivation by scrypt cannot take N = \(cost), r = \(blockSize), p = \(parallelism)",
                advice: "The key slot is damaged or was made to exhaust this machine; use another slot")
        }
        var out = [UInt8](repeating: 0, count: count)
        let result = unsafe passphrase.withUnsafeBytes { phrase in
            unsafe EVP_PBE_scrypt(
                phrase.baseAddress?.assumingMemoryBound(to: CChar.self), phrase.count, salt, salt.count, UInt64(cost),
                UInt64(blockSize), UInt64(parallelism), UInt64(memoryLimit), &out, count)
        }
        guard result == 1 else {
            ERR_clear_error()
            throw Failure(
                .failed, "key derivation by scrypt failed",
                advice: "It needs \(128 * blockSize * cost >> 20) MiB of memory; free some and try again")
        }
        return out
    }
}
