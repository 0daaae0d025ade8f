package import Platform
package import Sealing

extension Repository {
    /// Begins a backup: claims what the log holds, so that nothing leaned on goes meanwhile.
    package func beginBackup(_ options: BackupSession.Options = .init()) throws -> BackupSession {
        try BackupSession(self, options: options)
    }

    /// A list of objects for a record; long ones go to pages first.
    package func listing(_ references: [ObjectRef], session: SessionID) throws(Failure) -> Listing {
        guard references.count > Listing.longestInline / 2 else { return .inline(references) }
        var pages: [ObjectRef] = []
        for start in stride(from: 0, to: references.count, by: Listing.longestInline) {
            let end = min(start + Listing.longestInline, references.count)
            pages.append(
                try Self.put(Listing.page(Array(references[start..<end])), as: .page, session: session, store))
        }
        return .paged(pages)
    }
}
