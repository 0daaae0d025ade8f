package import Platform

/// 16 random bytes that name one thing for ever. `Owner` keeps the name of a session from being used as the name of
/// a vault.
package struct Identifier<Owner>: Hashable, Comparable, Sendable, CustomStringConvertible {
    private let high: UInt64
    private let low: UInt64

    package static var byteCount: Int { 16 }
    package static var none: Self { Self(high: 0, low: 0) }

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init?(_ bytes: some Collection<UInt8>) {
        guard bytes.count == Self.byteCount else { return nil }
        var words: [UInt64] = [0, 0]
        for (index, byte) in bytes.enumerated() { words[index / 8] = words[index / 8] << 8 | UInt64(byte) }
        self.init(high: words[0], low: words[1])
    }

    /// Reads 16 bytes; the caller has checked that they are there. A log holds hundreds of thousands.
    package init(reading bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count == Self.byteCount)
        high = UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        low = UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    package func append(to out: inout [UInt8]) {
        let inOrder = (high.bigEndian, low.bigEndian)
        unsafe withUnsafeBytes(of: inOrder) { unsafe out.append(contentsOf: $0) }
    }

    package init?(hex: String) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    /// A fresh one; `surroundings` give the randomness.
    package static func random(_ surroundings: Surroundings) -> Self {
        Self(surroundings.random(byteCount)) ?? .none
    }

    /// The first 16 bytes of a digest: for names that are derived.
    package init(truncating digest: Digest) { self.init(high: digest.words.0, low: digest.words.1) }

    package var bytes: [UInt8] {
        [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * $0)) } }
    }
    package var hex: String { Hex.encode(bytes) }
    package var description: String { hex }

    package static func < (left: Self, right: Self) -> Bool { (left.high, left.low) < (right.high, right.low) }
}

package enum SessionTag {}
package enum VaultTag {}
package enum DesktopTag {}
package enum ClaimTag {}
package enum AuthorTag {}

/// One run of one program that writes to one vault; every object name ends in it.
package typealias SessionID = Identifier<SessionTag>
package typealias VaultID = Identifier<VaultTag>
/// A desktop as the log sees it: derived from its name under a key, so that the log does not tell the name.
package typealias DesktopID = Identifier<DesktopTag>
package typealias ClaimID = Identifier<ClaimTag>
package typealias AuthorID = Identifier<AuthorTag>
