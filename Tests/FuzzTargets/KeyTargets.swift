import Capture
import Platform
import Repository
import Sealing
import Support

extension FuzzTarget {
    /// What lies beside the log and in a machine's state: slots, envelopes, files of writers, memories of files.
    static let keys = [
        FuzzTarget(name: "slot") { bytes in
            same(bytes, { try Slot($0) }, { $0.bytes })
            same(bytes, { try SiteKeyObject($0) }, { $0.bytes })
            same(bytes, { try KeyBundle($0) }, { $0.bytes })
        },
        FuzzTarget(name: "envelope") { bytes in
            same(bytes, { try Envelope($0) }, { $0.bytes })
            if let envelope = try? Envelope(bytes) { _ = try? envelope.open(FuzzKeys.shared.bundle.readers[0]) }
        },
        FuzzTarget(name: "writer") { bytes in
            guard let text = String(validating: bytes, as: UTF8.self), let file = try? WriterFile(text: text) else {
                return
            }
            precondition(file.author != nil)
        },
        FuzzTarget(name: "memory") { bytes in
            let keys = FuzzKeys.shared
            let folder = FuzzKeys.folder
            for content in [bytes, keys.memory(sealing: bytes)] {
                let path = folder("memory")
                guard (try? FuzzKeys.write(content, to: path)) != nil,
                    let memory = MemoryFile(AbsolutePath(path), keys.secret, keys.bundle.repository)
                else { continue }
                // The key of whatever file the bytes name first.
                let named = bytes.dropFirst(MemoryFormat.itemHeaderByteCount)
                let key = MemoryFormat.Key(
                    high: MemoryFormat.word(named.prefix(8)), low: MemoryFormat.word(named.dropFirst(8).prefix(8)))
                guard let found = memory.find(key) else { continue }
                _ = memory.forEachStretch(in: found.chunks) { $0.count % Digest.byteCount == 0 }
            }
        },
    ]
}
