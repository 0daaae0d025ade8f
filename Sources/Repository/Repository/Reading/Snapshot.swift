package import Platform
internal import Sealing

/// A snapshot as its reader sees it: the log's word, the manifest, and what is sealed in it.
package struct Snapshot: Sendable, Equatable {
    package let committed: LogState.Committed
    package let part: SealedPart
    package let manifest: Manifest

    package var id: Digest { committed.manifest.name.digest }
    package var name: String { part.name }
    package var time: Timestamp { part.time }
    package var bytes: UInt64 { part.streams.reduce(0) { $0 + $1.bytes } }
    package var files: UInt64 { part.streams.reduce(0) { $0 + $1.files } }
    package var clear: ClearPart { committed.clear }
}
