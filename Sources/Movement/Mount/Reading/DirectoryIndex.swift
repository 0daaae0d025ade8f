import Browse
import Platform
import Repository

/// Some of a directory's names and where their entries begin, so that one name is found without reading all.
struct DirectoryIndex: Sendable {
    /// Every so many entries one is noted.
    private static let stride = 64

    private var marks: [(name: [UInt8], offset: UInt64)] = []
    /// Why not all of the directory could be read.
    private(set) var problem: Failure?

    var count: Int { marks.count }

    /// Goes through the directory once.
    init(_ directory: ContentRef, _ reader: SnapshotReader) {
        var cursor = DirectoryCursor(reader, directory)
        var number = 0
        do throws(Failure) {
            while let (entry, offset) = try cursor.next() {
                if number % Self.stride == 0 { marks.append((entry.name, offset)) }
                number += 1
            }
        } catch { problem = error }
    }

    /// The entry of a name and where it begins; nil when there is none.
    /// - Throws: `.damaged` when the name may lie in what cannot be read.
    func find(
        _ name: [UInt8], in directory: ContentRef, _ reader: SnapshotReader
    ) throws(Failure) -> (entry: TreeEntry, offset: UInt64)? {
        var (low, high) = (0, marks.count)
        while low < high {
            let middle = (low + high) / 2
            if name.lexicographicallyPrecedes(marks[middle].name) { high = middle } else { low = middle + 1 }
        }
        guard low > 0 else {
            if marks.isEmpty, let problem { throw problem }
            return nil
        }
        var cursor = DirectoryCursor(reader, directory, at: marks[low - 1].offset)
        for _ in 0..<Self.stride {
            guard let (entry, offset) = try cursor.next() else { return nil }
            if entry.name == name { return (entry, offset) }
            if name.lexicographicallyPrecedes(entry.name) { return nil }
        }
        return nil
    }
}
