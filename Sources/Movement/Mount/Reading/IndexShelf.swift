import Platform
import Repository

/// The indexes of the directories in which names were looked up last. Safe to use from several threads.
final class IndexShelf: Sendable {
    private struct State {
        var kept: [ContentRef: DirectoryIndex] = [:]
        var order: [ContentRef] = []
        var marks = 0
    }

    private let state = Monitor(State())
    private static let mostDirectories = 256
    private static let mostMarks = 65536

    func index(of directory: ContentRef, _ reader: SnapshotReader) -> DirectoryIndex {
        if let known = state.access({ $0.kept[directory] }) { return known }
        let index = DirectoryIndex(directory, reader)
        // What could not be read may be readable the next time.
        guard index.problem == nil else { return index }
        state.access { state in
            guard state.kept.updateValue(index, forKey: directory) == nil else { return }
            state.order.append(directory)
            state.marks += index.count
            while state.order.count > 1, state.order.count > Self.mostDirectories || state.marks > Self.mostMarks {
                let oldest = state.order.removeFirst()
                state.marks -= state.kept.removeValue(forKey: oldest)?.count ?? 0
            }
        }
        return index
    }
}
