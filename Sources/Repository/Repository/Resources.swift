package import Platform

/// What of this machine a repository is worked on with: memory, and places on its own disks. Nothing of it is needed to
/// read a vault.
package struct Resources: Sendable {
    /// How memory is shared out.
    package let memory: MemoryBudget
    /// The folder of the program's state in which local indexes are kept; nil to make them anew each time.
    package var indexes: String?
    /// For temporary files; never a file system that is memory, if it can be helped.
    package var scratch: String
    /// How much of the memory an index takes, and names of new chunks: of its own, so that tests can make them small.
    package var index: IndexLimits
    package var freshChunks: Int

    /// Told of a local index that cannot be kept, since the next opening takes longer then.
    package var warn: @Sendable (Failure) -> Void

    package init(
        memory: MemoryBudget = .standard, indexes: String? = nil, scratch: String = "/var/tmp",
        warn: @escaping @Sendable (Failure) -> Void = { _ in }
    ) {
        self.memory = memory
        self.indexes = indexes
        self.scratch = scratch
        self.warn = warn
        index = memory.index
        freshChunks = memory.freshChunks
    }
}

/// Bytes of memory that a program holds to, and what they are for. Half of it is for what nobody chooses: the program
/// itself, the log's state, packs on their way.
package struct MemoryBudget: Sendable, Equatable {
    package let total: Int

    package static let least = 192 << 20
    package static let standard = MemoryBudget(unchecked: 256 << 20)

    /// - Throws: `.usage` below `least`.
    package init(total: Int) throws(Failure) {
        guard total >= Self.least else {
            throw Failure(
                .usage, "\(total) bytes of memory are too few", advice: "\(Self.least >> 20)MiB is the least.")
        }
        self.init(unchecked: total)
    }

    private init(unchecked total: Int) { self.total = total }

    /// From a number of bytes, or of `KiB`, `MiB` or `GiB`.
    /// - Throws: `.usage` for anything else, and below `least`.
    package init(_ text: String) throws(Failure) {
        let units: [(name: String, shift: Int)] = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        let unit = units.first { text.hasSuffix($0.name) }
        let digits = text.dropLast(unit?.name.count ?? 0)
        guard let number = Int(digits), number >= 0, number < 1 << 32, digits.allSatisfy(\.isNumber) else {
            throw Failure(.usage, "\(text) is no size", advice: "Write it as 256MiB, or 1GiB.")
        }
        try self.init(total: number << (unit?.shift ?? 0))
    }

    /// At the standard: batches of 16 MiB, and filters of 48 MiB, which is 4 bits a chunk at 100 million.
    var index: IndexLimits {
        IndexLimits(
            batch: total / 16 / SegmentEntry.byteCount, fanIn: min(512, total >> 19), filter: total / 16 * 3)
    }

    /// New chunks of a session whose names are in memory; those before are on the disk.
    var freshChunks: Int { total >> 10 }
    /// Opened frames that are kept for reading again.
    package var frames: Int { total / 4 }
    /// Of a pack.
    package var packBytes: Int { total >= 256 << 20 ? 16 << 20 : 8 << 20 }
}
