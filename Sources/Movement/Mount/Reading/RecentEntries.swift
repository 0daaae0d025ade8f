import Platform
import Repository

/// What snapshots say of the files that were met last: programs ask for one thing after another of the same file. Large
/// entries are not kept, so that a snapshot cannot fill the memory with them. Safe to use from several threads.
final class RecentEntries: Sendable {
    private struct State {
        var kept: [UInt64: TreeEntry] = [:]
        var order: [UInt64] = []
        var next = 0
    }

    private let state = Monitor(State())
    private static let most = 1024

    func entry(of node: UInt64) -> TreeEntry? { state.access { $0.kept[node] } }

    func keep(_ entry: TreeEntry, of node: UInt64) {
        let attributes = entry.extendedAttributes.reduce(0) { $0 + $1.name.count + $1.value.count }
        guard (entry.content?.chunks.count ?? 0) <= 16, attributes + entry.target.count <= 2048 else { return }
        state.access { state in
            guard state.kept.updateValue(entry, forKey: node) == nil else { return }
            if state.order.count < Self.most {
                state.order.append(node)
            } else {
                state.kept[state.order[state.next]] = nil
                state.order[state.next] = node
                state.next = (state.next + 1) % Self.most
            }
        }
    }
}
