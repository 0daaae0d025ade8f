package import Platform
internal import Sealing

/// A list of objects in a record: written out, or as pages named by hash when it would make the record too long.
package enum Listing: Hashable, Sendable {
    case inline([ObjectRef])
    case paged([ObjectRef])

    /// A record of at most 1 MiB holds this many references and everything else it says.
    package static let longestInline = 12_000
    private static let magic = Array("BWPG".utf8)

    func encode(to encoder: inout CanonicalEncoder) {
        switch self {
        case .inline(let objects):
            encoder.byte(0)
            encoder.list(objects) { $1.encode(to: &$0) }
        case .paged(let pages):
            encoder.byte(1)
            encoder.list(pages) { $1.encode(to: &$0) }
        }
    }

    init(from decoder: inout CanonicalDecoder) throws(Failure) {
        switch try decoder.byte() {
        case 0: self = .inline(try Self.references(&decoder))
        case 1:
            self = .paged(try Self.references(&decoder))
        default: throw decoder.malformed("a list of an unknown form")
        }
    }

    private static func references(_ decoder: inout CanonicalDecoder) throws(Failure) -> [ObjectRef] {
        try decoder.list(atMost: longestInline, smallest: ObjectRef.smallest) {
            (inner: inout CanonicalDecoder) throws(Failure) in try ObjectRef(from: &inner)
        }
    }

    /// The bytes of one page.
    package static func page(_ objects: [ObjectRef]) -> [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(magic)
            $0.byte(1)
            $0.list(objects) { $1.encode(to: &$0) }
        }
    }

    /// The pages themselves, which the log holds like all objects.
    package var pages: [ObjectRef] {
        if case .paged(let pages) = self { pages } else { [] }
    }

    /// Everything listed, pages read from `source`; nothing of them without one.
    package func objects(_ source: (any PageSource)?) throws(Failure) -> [ObjectRef] {
        switch self {
        case .inline(let objects): return objects
        case .paged(let pages):
            guard let source else { return [] }
            var objects: [ObjectRef] = []
            for page in pages {
                var decoder = CanonicalDecoder(try source.page([page.name]), "\(page.name)")
                guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
                    throw decoder.malformed("not a page of version 1")
                }
                objects += try Self.references(&decoder)
                try decoder.finish()
            }
            return objects
        }
    }
}

/// Gives the bytes of pages and sets, verified against the digest in their name.
package protocol PageSource: Sendable {
    /// The content of any one of `candidates`, which all carry the same digest.
    /// - Throws: `.notFound` or `.damaged` naming the object when none of them verifies.
    func page(_ candidates: [ObjectName]) throws(Failure) -> [UInt8]
}
