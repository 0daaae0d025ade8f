package import ObjectStore
package import Platform
package import Sealing

/// What an object is. The raw value stands in records; the folder in its key.
package enum ObjectKind: UInt8, Sendable, CaseIterable, Comparable {
    case pack = 1
    case segment = 2
    case envelope = 3
    case set = 4
    case manifest = 5
    case slot = 6
    case page = 7
    case checkpoint = 8
    case siteKey = 9

    package var folder: String {
        switch self {
        case .pack: "packs"
        case .segment: "segments"
        case .envelope: "envelopes"
        case .set: "sets"
        case .manifest: "manifests"
        case .slot: "slots"
        case .page: "pages"
        case .checkpoint: "checkpoints"
        case .siteKey: "sitekeys"
        }
    }

    /// The longest an object of the kind can rightly be, in bytes.
    package var largest: UInt64 {
        switch self {
        case .pack: 1 << 30
        case .segment: 256 << 20
        case .envelope: Envelope.largest
        case .set, .page, .manifest: 16 << 20
        case .slot, .siteKey: Slot.largest
        case .checkpoint: 1 << 30
        }
    }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The name of an object: what it is, the hash of its content (for a pack, its root), and the session that wrote it.
/// No name is ever used twice, so a put or a delete that arrives a month late touches nobody else's object.
package struct ObjectName: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let kind: ObjectKind
    package let digest: Digest
    package let session: SessionID

    package init(kind: ObjectKind, digest: Digest, session: SessionID) {
        self.kind = kind
        self.digest = digest
        self.session = session
    }

    /// `<folder>/<hex digest>.<hex session>`; packs are spread over 256 folders.
    package var path: String {
        let hex = digest.hex
        let spread = kind == .pack ? "\(hex.prefix(2))/" : ""
        return "\(kind.folder)/\(spread)\(hex).\(session.hex)"
    }

    package init?(path: String) {
        guard let kind = ObjectKind.allCases.first(where: { path.hasPrefix($0.folder + "/") }),
            let last = path.split(separator: "/").last
        else { return nil }
        let parts = last.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let digest = Digest(hex: String(parts[0])),
            let session = SessionID(hex: String(parts[1]))
        else { return nil }
        self.init(kind: kind, digest: digest, session: session)
        guard self.path == path else { return nil }
    }

    package func key() throws(Failure) -> StoreKey {
        guard let key = StoreKey(path) else { throw Failure(.failed, "\(path) is no store key") }
        return key
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.kind, left.digest, left.session) < (right.kind, right.digest, right.session)
    }
    package var description: String { path }

    package func encode(to encoder: inout CanonicalEncoder) {
        encoder.byte(kind.rawValue)
        encoder.digest(digest)
        encoder.identifier(session)
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        guard let kind = ObjectKind(rawValue: try decoder.byte()) else {
            throw decoder.malformed("an object of an unknown kind")
        }
        self.init(kind: kind, digest: try decoder.digest(), session: try decoder.identifier())
    }
}

/// A name and how long the object is, in bytes.
package struct ObjectRef: Hashable, Sendable {
    package var name: ObjectName
    package var length: UInt64

    package init(name: ObjectName, length: UInt64) {
        self.name = name
        self.length = length
    }

    package func encode(to encoder: inout CanonicalEncoder) {
        name.encode(to: &encoder)
        encoder.number(length)
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        name = try ObjectName(from: &decoder)
        length = try decoder.number(atMost: name.kind.largest)
    }

    static let smallest = 50
}
