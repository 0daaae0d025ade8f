/// Paths that a person named, as a tree from the root: directories on the way hold only what leads on, and a path that
/// was named is meant whole, with all below it.
package struct PathForest: Sendable {
    package struct Node: Sendable {
        package private(set) var isWhole = false
        package private(set) var children: [[UInt8]: Node] = [:]

        /// In the order of a directory's content.
        package var ordered: [(name: [UInt8], node: Node)] {
            children.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
        }

        fileprivate mutating func insert(_ components: ArraySlice<[UInt8]>) {
            guard let first = components.first else {
                isWhole = true
                return
            }
            children[first, default: Node()].insert(components.dropFirst())
        }
    }

    package private(set) var root = Node()

    package init(_ paths: [AbsolutePath]) {
        for path in paths { root.insert(path.components[...]) }
    }
}
