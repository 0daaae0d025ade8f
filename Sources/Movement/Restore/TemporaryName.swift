package import Platform

/// The name that a file has on its way, beside its own: `.breakwater-`, 16 random digits, and 16 that follow from those and
/// from the directory it lies in.
///
/// By the latter a later run knows what one that was killed has left there. What anybody else calls so has other
/// digits, and so has what was carried off to another directory, by hand or by a backup and a restore of it. It keeps
/// accidents off, and is no secret: whoever may make entries in the directory can make one of such a name, and have just
/// that entry taken away, which he might take away himself. No link is followed, and what else bears the file's name stays.
package struct TemporaryName: Sendable {
    /// Of what: a run of one kind leaves alone what one of the other kind is about to name.
    package enum Purpose: String, Sendable {
        /// One of the many of a tree, whose target is locked (`FillingLock`).
        case file
        /// A file by itself, which is locked: an image, an archive (`NewFile`).
        case alone = "disk"
    }

    private let purpose: Purpose
    private let directory: UInt64

    /// - Parameter directory: the inode of the directory.
    package init(_ purpose: Purpose, in directory: UInt64) {
        self.purpose = purpose
        self.directory = directory
    }

    /// A name that nothing has: 64 random bits.
    package func make(_ surroundings: Surroundings) -> [UInt8] {
        let mark = Array(Hex.encode(surroundings.random(8)).utf8)
        return Self.prefix + mark + proof(of: mark[...])
    }

    package func matches(_ name: [UInt8]) -> Bool {
        guard name.count == Self.prefix.count + 32, name.starts(with: Self.prefix) else { return false }
        return name.suffix(16).elementsEqual(proof(of: name.dropFirst(Self.prefix.count).prefix(16)))
    }

    private static let prefix = Array(".breakwater-".utf8)

    private func proof(of mark: ArraySlice<UInt8>) -> [UInt8] {
        let words = Array("breakwater restore of a \(purpose.rawValue) v1".utf8) + [0] + mark
        return Array(SHA256.hash(words + Array("-\(directory)".utf8)).hex.utf8.prefix(16))
    }
}
