package import Platform
package import Repository

/// Opens readers of several snapshots of one repository that share its index and one cache of frames.
package struct Readers: Sendable {
    package let repository: Repository
    private let index: ChunkIndex
    private let frames: FrameCache

    /// - Parameter cache: bytes of opened frames kept, for all readers together; nil for what the memory at hand allows.
    package init(_ repository: Repository, cache: Int? = nil) throws(Failure) {
        self.repository = repository
        index = try repository.loadIndex(for: .reading).index
        frames = FrameCache(budget: cache ?? repository.resources.memory.frames)
    }

    package func reader(of snapshot: Snapshot) throws(Failure) -> SnapshotReader {
        try SnapshotReader(repository, snapshot, index: index, sharing: frames)
    }
}
