import Platform
import Repository

/// A file as the kernel knows it, by a number. What a snapshot says of it is not kept here but read again when it is
/// asked for, so that a node is small whatever the snapshot says.
final class Node: Sendable {
    enum Kind: Sendable {
        /// A directory of our own, above the snapshots' trees.
        case menu([(name: [UInt8], node: Node)], TreeEntry.Time)
        /// The root of a snapshot's tree.
        case root(View, ContentRef)
        case directory(View, ContentRef)
        /// What is no directory.
        case file(View)
        case disk(View, DiskRef)
    }

    let number: UInt64
    let inode: UInt64
    let kind: Kind
    /// Holds on to what it lies in; nil at the top.
    let parent: Node?
    /// Where the entry begins in the parent's content, in bytes.
    let offset: UInt64

    init(_ number: UInt64, inode: UInt64, _ kind: Kind, parent: Node?, offset: UInt64 = 0) {
        self.number = number
        self.inode = inode
        self.kind = kind
        self.parent = parent
        self.offset = offset
    }

    /// The view and content of a directory in a snapshot's tree.
    var directory: (view: View, content: ContentRef)? {
        switch kind {
        case .root(let view, let content), .directory(let view, let content): (view, content)
        case .menu, .file, .disk: nil
        }
    }
}

/// Numbers of files: the same for the same file as long as the mount stands, also when the kernel forgot it between.
enum Inode {
    static let root: UInt64 = 1

    /// Of an entry: by where it stands.
    static func number(in parent: UInt64, at offset: UInt64) -> UInt64 { mixed(parent, offset) }

    /// Of a file with several names: by the number that these share within the snapshot.
    static func number(of link: UInt64, view: Int) -> UInt64 { mixed(UInt64(view) &* 2 &+ 0xB5EA_0000_0000_0001, link) }

    /// The finalizer of splitmix64 (Steele, Lea and Flood, 2014), twice.
    private static func mixed(_ one: UInt64, _ other: UInt64) -> UInt64 {
        func mix(_ value: UInt64) -> UInt64 {
            var mixed = value &+ 0x9E37_79B9_7F4A_7C15
            mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
        let number = mix(mix(one) ^ other)
        // 0 and 1 mean something to programs.
        return number < 2 ? number + 2 : number
    }
}
