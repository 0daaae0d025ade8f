package import Platform
internal import Sealing

/// A page of pack roots, in order, shared by hash between manifests. Pages are cut where a root's low bits are zero,
/// so that a new root changes one page and the others stay shared.
package struct PackSet: Sendable, Equatable {
    package let roots: [Digest]
    private static let magic = Array("BWST".utf8)
    private static let cutMask: UInt64 = 0x3FF

    package var bytes: [UInt8] {
        CanonicalEncoder.bytes {
            $0.raw(Self.magic)
            $0.byte(1)
            $0.list(roots) { $0.digest($1) }
        }
    }

    package init(roots: [Digest]) { self.roots = roots }

    /// What to do where one cannot be had.
    static let whenLost =
        "Restores work. `breakwater repository repair` makes it anew with the passphrase, or takes it from another vault "
        + "with --from. Where neither can, `check` names the snapshots that need it: nothing is collected until they are "
        + "forgotten."

    package init(_ bytes: [UInt8], expecting digest: Digest) throws(Failure) {
        var decoder = CanonicalDecoder(bytes, "set \(digest)")
        guard try decoder.raw(4) == Self.magic, try decoder.byte() == 1 else {
            throw decoder.malformed("not a set of version 1")
        }
        roots = try RecordBody.digests(&decoder)
        try decoder.finish()
        guard zip(roots, roots.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw decoder.malformed("roots out of order")
        }
    }

    /// Cuts sorted roots into pages.
    package static func pages(of roots: Set<Digest>) -> [PackSet] {
        var pages: [PackSet] = []
        var open: [Digest] = []
        for root in roots.sorted() {
            open.append(root)
            if root.words.3 & cutMask == 0 {
                pages.append(PackSet(roots: open))
                open = []
            }
        }
        if !open.isEmpty { pages.append(PackSet(roots: open)) }
        return pages
    }
}
