internal import Platform
package import Sealing

extension ClaimID {
    /// The claim of one of the site's own sessions, by the session and what it does: so those who do the same tell it from
    /// others.
    package init(of session: SessionID, _ label: String) {
        self.init(truncating: SHA256.hash(Array(label.utf8) + [0] + session.bytes))
    }
}

extension Repository {
    /// Claims a snapshot, or the log's objects for a session: until the claim is released a collector leaves alone
    /// what it holds. Signed by the site where its key is at hand, otherwise by the author of this run.
    ///
    /// - Throws: `.refused` when nothing at hand may append, or the snapshot is forgotten; then the caller may read
    ///   unclaimed and says so.
    package func claim(_ scope: RecordBody.ClaimScope) throws -> ClaimID {
        let claim = ClaimID.random(surroundings)
        try appendByWhoeverMay(.claim(claim, scope))
        return claim
    }

    /// Ends a claim. One that was released meanwhile, by a collector or a commit, is no error.
    package func release(_ claim: ClaimID) throws {
        guard try log.refresh().claims[claim] != nil else { return }
        try appendByWhoeverMay(.release(claim))
    }

    private func appendByWhoeverMay(_ body: RecordBody) throws {
        if keys.site != nil { try appendAsSite { _ in body } } else { try appendAsAuthor { _ in body } }
    }
}
