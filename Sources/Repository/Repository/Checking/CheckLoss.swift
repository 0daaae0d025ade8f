package import Platform

/// Some bytes of a snapshot that a restore from the vaults at hand would not give.
package struct CheckLoss: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        case file, disk, document
        /// Of a directory's entries: what lies below those that cannot be read is not known.
        case directory
    }

    package var snapshot: Digest
    /// The stream's label; empty for the only one.
    package var stream: String
    package var kind: Kind
    /// In the snapshot's tree; empty for a disk or a document.
    package var path: String
    /// Bytes of the file, of the disk as its desktop sees it, or of the directory's entries.
    package var range: Range<UInt64>
    /// The root of the damaged pack that has them; nil when no pack of the snapshot's sets does.
    package var pack: Digest?

    /// Whether `other` goes on where this ends.
    func continues(in other: CheckLoss) -> Bool {
        var joined = other
        joined.range = range
        return joined == self && other.range.lowerBound == range.upperBound
    }
}
