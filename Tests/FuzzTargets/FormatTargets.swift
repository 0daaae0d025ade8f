import Platform
import Repository
import Sealing

extension FuzzTarget {
    /// What lies in a vault: under the seals too, since a stolen writer can seal what it likes.
    static let format = [
        FuzzTarget(name: "record") { bytes in
            for half in Record.Halves(bytes).different { openRecord(half) }
            openRecord(bytes)
        },
        FuzzTarget(name: "rules") { judge($0) },
        FuzzTarget(name: "checkpoint") { bytes in
            let keys = FuzzKeys.shared
            same(bytes, { try LogState(checkpoint: $0, genesis: keys.genesis) }, { try $0.checkpointBytes() })
        },
        FuzzTarget(name: "manifest") { bytes in
            let keys = FuzzKeys.shared
            _ = try? Manifest(bytes, root: keys.bundle.root.verifying, repository: keys.bundle.repository)
            same(bytes, { try ClearPart($0) }, { $0.bytes })
            same(bytes, { try SealedPart($0) }, { $0.bytes })
        },
        FuzzTarget(name: "pack") { bytes in
            _ = try? PackHeader(Array(bytes.prefix(PackLayout.headerByteCount)), name: "a pack")
            _ = try? PackLayout.verify(bytes, root: SHA256.hash(bytes), name: "a pack")
            same(bytes, { try PackTable($0, name: "a pack") }, { $0.bytes })
            if let table = try? PackTable(bytes, name: "a pack") { _ = table.entries(pack: 0) }
        },
        FuzzTarget(name: "frame") { bytes in
            _ = try? PackOpener.decompress(bytes, "a frame", ZstdDecompressor())
        },
        FuzzTarget(name: "segment") { bytes in
            let keys = FuzzKeys.shared
            _ = try? Segment(bytes, keys.secret, repository: keys.bundle.repository, name: "a segment")
            _ = try? keys.segment(sealing: bytes)
        },
        FuzzTarget(name: "set") { bytes in
            same(bytes, { try PackSet($0, expecting: SHA256.hash($0)) }, { $0.bytes })
        },
        FuzzTarget(name: "tree") { bytes in
            _ = try? TreeEntry(bytes)
            for depth in 1...ContentRef.deepest {
                _ = try? ContentRef.decodeList(bytes, depth: depth, length: UInt64(bytes.count))
            }
        },
    ]

    private static func openRecord(_ bytes: [UInt8]) {
        let keys = FuzzKeys.shared
        _ = try? Record.identity(bytes)
        for number in [0, 1] as [UInt64] {
            _ = try? Record(
                bytes, repository: keys.bundle.repository, vault: keys.genesis.vault, number: number,
                site: number == 0 ? nil : keys.genesis.site,
                root: number == 0 ? nil : keys.bundle.root.verifying)
        }
    }

    /// Bodies of records, each after who signs it and its length, applied to a log one after another: by the rules, what
    /// they say is void or has an effect, and the state can be written down and read back.
    private static func judge(_ bytes: [UInt8]) {
        let keys = FuzzKeys.shared
        var state = keys.genesis
        var decoder = CanonicalDecoder(bytes, "records")
        for _ in 0..<16 where decoder.remaining > 0 {
            guard let author = try? decoder.byte(), let encoded = try? decoder.string(atMost: 8192) else { return }
            var inner = CanonicalDecoder(encoded, "a record's body")
            guard let body = try? RecordBody(from: &inner),
                let record = try? keys.record(body, asSite: author % 2 == 0, after: state)
            else { continue }
            _ = try? state.apply(record, pages: NoPages())
        }
        guard let written = try? state.checkpointBytes(),
            let read = try? LogState(checkpoint: written, genesis: keys.genesis), read == state
        else { preconditionFailure("a state does not survive being written down") }
    }

    /// No page or set is there.
    private struct NoPages: PageSource {
        func page(_ candidates: [ObjectName]) throws(Failure) -> [UInt8] { throw Failure(.notFound, "no pages") }
    }
}
