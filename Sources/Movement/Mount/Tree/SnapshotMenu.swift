import Platform
package import Repository

/// Which snapshots are shown, and under which names.
package struct SnapshotMenu: Sendable {
    /// A snapshot below the folder of its name.
    package struct Item: Sendable {
        package var snapshot: Snapshot
        /// Its own name within that folder: the time, as a rule.
        package var label: String

        package init(snapshot: Snapshot, label: String) {
            self.snapshot = snapshot
            self.label = label
        }
    }

    package enum Shape: Sendable {
        /// `NAME/LABEL/` for each.
        case all([Item])
        /// What is in this one.
        case one(Snapshot)
    }

    /// Every node of our own, the root first.
    let nodes: [Node]

    init(_ shape: Shape, _ shelf: ReaderShelf) {
        var builder = Builder(shelf: shelf)
        builder.build(shape)
        nodes = builder.nodes
    }

    private struct Builder {
        let shelf: ReaderShelf
        var nodes: [Node] = []
        private var next = Inode.root + 1
        private var views = 0

        init(shelf: ReaderShelf) { self.shelf = shelf }

        mutating func build(_ shape: Shape) {
            switch shape {
            case .one(let snapshot):
                let view = makeView(of: snapshot, label: "")
                nodes.insert(Node(Inode.root, inode: Inode.root, inside(view), parent: nil), at: 0)
            case .all(let items):
                var folders: [(name: String, items: [Item])] = []
                var places: [String: Int] = [:]
                for item in items {
                    if let place = places[item.snapshot.name] {
                        folders[place].items.append(item)
                    } else {
                        places[item.snapshot.name] = folders.count
                        folders.append((item.snapshot.name, [item]))
                    }
                }
                var names = Names()
                let entries = folders.map { folder in
                    let name = names.take(folder.name, or: folder.items.last?.snapshot.id.hex ?? "")
                    return (name: name, node: add(makeFolder(folder.items, name)))
                }
                let time = items.map(\.snapshot.time).max() ?? Timestamp(seconds: 0)
                nodes.insert(
                    Node(Inode.root, inode: Inode.root, .menu(entries, View.time(time)), parent: nil), at: 0)
            }
        }

        private mutating func makeFolder(_ items: [Item], _ folder: [UInt8]) -> Node.Kind {
            var names = Names()
            let entries = items.map { item in
                let name = names.take(item.label, or: item.snapshot.id.hex)
                let label = "/\(String(decoding: folder, as: UTF8.self))/\(String(decoding: name, as: UTF8.self))"
                return (name: name, node: add(inside(makeView(of: item.snapshot, label: label))))
            }
            let time = items.map(\.snapshot.time).max() ?? Timestamp(seconds: 0)
            return .menu(entries, View.time(time))
        }

        /// The tree itself when there is nothing else; otherwise one entry for each tree and disk.
        private mutating func inside(_ view: View) -> Node.Kind {
            let streams = view.snapshot.part.streams
            if streams.count == 1, case .tree(let root) = streams[0].content { return .root(view, root) }
            var names = Names()
            var entries: [(name: [UInt8], node: Node)] = []
            for stream in streams {
                let label = stream.label.isEmpty ? "" : "-\(stream.label)"
                switch stream.content {
                case .tree(let root):
                    entries.append((names.take("tree\(label)", or: "tree"), add(.root(view, root))))
                case .disk(let disk):
                    entries.append((names.take("disk\(label).raw", or: "disk"), add(.disk(view, disk))))
                // A description for programs, which holds nothing of the user's.
                case .machine: break
                }
            }
            return .menu(entries, View.time(view.snapshot.time))
        }

        private mutating func add(_ kind: Node.Kind) -> Node {
            let node = Node(next, inode: next, kind, parent: nil)
            next += 1
            nodes.append(node)
            return node
        }

        private mutating func makeView(of snapshot: Snapshot, label: String) -> View {
            defer { views += 1 }
            return View(snapshot, number: views, label: label, shelf)
        }
    }

    /// Names of one directory: such as a directory can hold, and each once.
    private struct Names {
        private var taken: Set<[UInt8]> = []

        mutating func take(_ text: String, or identifier: String) -> [UInt8] {
            let plain = Self.clean(text)
            var name = plain
            var number = 1
            while !taken.insert(name).inserted {
                name = plain + Array((number == 1 ? "-\(identifier.prefix(12))" : "-\(number)").utf8)
                number += 1
            }
            return name
        }

        private static func clean(_ text: String) -> [UInt8] {
            let name = text.utf8.map { $0 == 0 || $0 == UInt8(ascii: "/") ? UInt8(ascii: "_") : $0 }.prefix(200)
            return Name.isEntry(Array(name)) ? Array(name) : [UInt8(ascii: "_")] + name
        }
    }
}
