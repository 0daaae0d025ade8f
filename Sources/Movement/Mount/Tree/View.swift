import Browse
import Platform
import Repository

/// One snapshot as it is shown. Its reader is opened when something in it is first looked at.
final class View: Sendable {
    let snapshot: Snapshot
    let number: Int
    /// Where it is shown, for people.
    let label: String
    private let shelf: ReaderShelf

    init(_ snapshot: Snapshot, number: Int, label: String, _ shelf: ReaderShelf) {
        self.snapshot = snapshot
        self.number = number
        self.label = label
        self.shelf = shelf
    }

    func reader() throws(Failure) -> SnapshotReader { try shelf.reader(of: self) }

    static func time(_ stamp: Timestamp) -> TreeEntry.Time {
        let (seconds, rest) = stamp.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return rest < 0
            ? TreeEntry.Time(seconds: seconds - 1, nanoseconds: UInt32(rest + 1_000_000_000))
            : TreeEntry.Time(seconds: seconds, nanoseconds: UInt32(rest))
    }
}

/// The readers of the snapshots that were looked at last: each holds a note of every pack it may read from.
final class ReaderShelf: Sendable {
    private struct State {
        var kept: [Int: SnapshotReader] = [:]
        /// The one used last at the end.
        var order: [Int] = []
    }

    private let readers: Readers
    private let state = Monitor(State())
    private static let most = 16

    init(_ readers: Readers) { self.readers = readers }

    func reader(of view: View) throws(Failure) -> SnapshotReader {
        if let known = state.access({ Self.take(view.number, &$0) }) { return known }
        let reader = try readers.reader(of: view.snapshot)
        state.access { state in
            state.kept[view.number] = reader
            state.order.removeAll { $0 == view.number }
            state.order.append(view.number)
            if state.order.count > Self.most { state.kept[state.order.removeFirst()] = nil }
        }
        return reader
    }

    private static func take(_ number: Int, _ state: inout State) -> SnapshotReader? {
        guard let known = state.kept[number] else { return nil }
        if state.order.last != number {
            state.order.removeAll { $0 == number }
            state.order.append(number)
        }
        return known
    }
}
