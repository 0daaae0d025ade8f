package import Model
package import ObjectStore

/// The addresses under which an agent serves its vault to its peer, and what they answer. A repository is named by
/// its tenant.
///
/// - `GET /v1/vault/<repository>/objects?prefix=P&after=K&limit=N`: an `ObjectListing`.
/// - `HEAD /v1/vault/<repository>/objects/<key>`: `Content-Length` is the object's; 404 when it is not there.
/// - `GET /v1/vault/<repository>/objects/<key>` with `Range: bytes=A-B`: 206 and exactly those bytes, or problem
///   details: `notFound`, `damaged` when the object ends before the range does. Without a range: `usage`.
package enum VaultRoute {
    package static let prefix = "/v1/vault"
    /// More objects are never listed in one answer.
    package static let longestPage = 1000
    /// A longer range is never served in one answer.
    package static let longestRange: UInt64 = 16 << 20
    /// A page of the longest keys, written as JSON, is smaller.
    package static let longestListing = 1 << 20

    package static func objects(of repository: Tenant.ID) -> String { "\(prefix)/\(repository)/objects" }

    package static func object(_ key: StoreKey, of repository: Tenant.ID) -> String {
        "\(objects(of: repository))/\(key)"
    }

    /// The first and last byte in a `Range` header of the one form that we send; nil for any other.
    package static func range(ofHeader header: String) -> Range<UInt64>? {
        let unit = "bytes="
        guard header.hasPrefix(unit) else { return nil }
        let parts = header.dropFirst(unit.count).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let first = number(parts[0]), let last = number(parts[1]), first <= last, last < .max
        else { return nil }
        return first..<(last + 1)
    }

    /// Digits only: `UInt64("+1")` would let a second spelling in.
    private static func number(_ text: Substring) -> UInt64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return UInt64(text)
    }
}

/// A page of a listing, as it travels.
package struct ObjectListing: Codable, Sendable {
    package struct Entry: Codable, Sendable {
        package var key: String
        package var length: UInt64
    }
    package var objects: [Entry]

    package init(_ objects: [StoredObject]) {
        self.objects = objects.map { Entry(key: $0.key.text, length: $0.length) }
    }
}
