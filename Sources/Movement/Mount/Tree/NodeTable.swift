import Platform
import Repository

/// The nodes that the kernel holds: each is counted when the kernel is told of it, and goes when the kernel has
/// forgotten it as often. Safe to use from several threads.
final class NodeTable: Sendable {
    /// What makes an entry the same node as before.
    private enum Key: Hashable {
        case place(parent: UInt64, offset: UInt64)
        case link(view: Int, number: UInt64)
    }

    private struct Held {
        var node: Node
        var key: Key
        var lookups: UInt64
        /// How often it is open.
        var opened = 0
    }

    private struct State {
        var held: [UInt64: Held] = [:]
        var numbers: [Key: UInt64] = [:]
        var next: UInt64
        /// Numbers in the order in which they were given, for finding those that can go first.
        var queue: [UInt64] = []
        var head = 0
        /// With more nodes than this some are to go.
        var threshold: Int
        var isEnded = false
    }

    /// The directories of our own, and the roots and disks in them: these stay.
    private let fixed: [UInt64: Node]
    private let state: Monitor<State>

    private let most: Int
    private static let atOnce = 512

    /// - Parameter most: nodes held before the kernel is asked to forget some.
    init(fixed nodes: [Node], most: Int) {
        self.most = most
        fixed = Dictionary(nodes.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        state = Monitor(State(next: (nodes.map(\.number).max() ?? 1) + 1, threshold: most))
    }

    var count: Int { state.access { $0.held.count } }

    func find(_ number: UInt64) -> Node? { fixed[number] ?? state.access { $0.held[number]?.node } }

    /// The node of an entry, of which the kernel is about to be told: counted once more.
    /// - Parameter isSame: whether a file of several names is, by what the snapshot says, the one that is held.
    func hold(_ entry: TreeEntry, in parent: Node, at offset: UInt64, _ view: View, isSame: (Node) -> Bool) -> Node {
        let place = Key.place(parent: parent.number, offset: offset)
        var key = place
        var inode = Inode.number(in: parent.inode, at: offset)
        if entry.link != 0, entry.kind != .directory {
            let link = Key.link(view: view.number, number: entry.link)
            let first = state.access { state in state.numbers[link].flatMap { state.held[$0]?.node } }
            let isFirst = first.map { $0.parent === parent && $0.offset == offset } ?? true
            if isFirst || first.map(isSame) ?? false {
                key = link
                inode = Inode.number(of: entry.link, view: view.number)
            }
        }
        let kind: Node.Kind =
            if entry.kind == .directory, let content = entry.content { .directory(view, content) } else { .file(view) }
        let (chosen, number) = (key, inode)
        return state.access { state in
            if let known = state.numbers[chosen], let held = state.held[known] {
                state.held[known]?.lookups += 1
                return held.node
            }
            let node = Node(state.next, inode: number, kind, parent: parent, offset: offset)
            state.next += 1
            state.held[node.number] = Held(node: node, key: chosen, lookups: 1)
            state.numbers[chosen] = node.number
            Self.enqueue(node.number, &state)
            return node
        }
    }

    /// The kernel forgot it `times` times.
    func forget(_ number: UInt64, times: UInt64) {
        state.access { state in
            guard let held = state.held[number] else { return }
            if held.lookups > times {
                state.held[number]?.lookups -= times
            } else {
                state.held[number] = nil
                state.numbers[held.key] = nil
                if state.held.count < most { state.threshold = most }
            }
        }
    }

    func noteOpened(_ number: UInt64, by change: Int) {
        state.access { $0.held[number]?.opened += change }
    }

    // MARK: - Too many

    private static func enqueue(_ number: UInt64, _ state: inout State) {
        if state.head > 4096, state.head * 2 > state.queue.count {
            state.queue.removeFirst(state.head)
            state.head = 0
        }
        state.queue.append(number)
        // Those that went by themselves are let go of now and then.
        if state.queue.count - state.head > 2 * state.held.count + 4096 {
            state.queue = state.queue[state.head...].filter { state.held[$0] != nil }
            state.head = 0
        }
    }

    /// Waits until there are too many nodes, then gives some that the kernel can be asked to forget: the oldest that
    /// are neither directories nor open. Nil once `end` was called.
    func surplus() -> [Node]? {
        state.access(when: { $0.isEnded || $0.held.count > $0.threshold }) { state in
            guard !state.isEnded else { return nil }
            var found: [Node] = []
            var left = min(state.queue.count - state.head, 4096)
            while left > 0, found.count < Self.atOnce {
                left -= 1
                let number = state.queue[state.head]
                state.head += 1
                guard let held = state.held[number] else { continue }
                state.queue.append(number)
                if held.opened == 0, case .file = held.node.kind { found.append(held.node) }
            }
            // The kernel forgets in its own time: what it was asked for is not asked for again at once.
            state.threshold = max(most, state.held.count + Self.atOnce / 2)
            return found
        }
    }

    /// Nobody waits in `surplus` any more.
    func end() { state.access { $0.isEnded = true } }
}
