import Platform

/// The paths of one capture as a tree from the root: directories on the way hold only what leads on, and a path
/// that was named is captured whole, with all below it.
struct PathForest {
    struct Node {
        var isWhole = false
        var children: [[UInt8]: Node] = [:]

        /// In the order of a directory's content.
        var ordered: [(name: [UInt8], node: Node)] {
            children.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
        }

        mutating func insert(_ components: ArraySlice<[UInt8]>) {
            guard let first = components.first else {
                isWhole = true
                return
            }
            children[first, default: Node()].insert(components.dropFirst())
        }
    }

    private(set) var root = Node()

    init(_ paths: [AbsolutePath]) {
        for path in paths { root.insert(path.components[...]) }
    }
}
