package import Platform
package import Sealing

/// A pack as an index knows it: by the word of a session's segments. Two sessions may tell of one pack, and which of them
/// is believed may change.
package struct IndexedPack: Hashable, Comparable, Sendable {
    package let root: Digest
    /// The session whose key opens it.
    package let origin: SessionID
    /// The session that put the segment.
    package let teller: SessionID

    package init(root: Digest, origin: SessionID, teller: SessionID) {
        self.root = root
        self.origin = origin
        self.teller = teller
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.root, left.origin, left.teller) < (right.root, right.origin, right.teller)
    }
}

/// A segment that a run was made from.
package struct CoveredSegment: Hashable, Sendable {
    package let digest: Digest
    package let teller: SessionID
    package let entries: Int
}
