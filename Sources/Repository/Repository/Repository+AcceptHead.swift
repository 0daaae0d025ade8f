internal import ObjectStore
internal import Platform
internal import Sealing

extension Repository {
    /// Appends the root's word that this log, as it is up to its present head, is the true one, though a later or
    /// another head was seen. It excuses this one roll-back, once for everybody who saw the other head.
    /// - Parameter head: the head that whoever accepts was shown.
    /// - Throws: `.refused` without the owner's keys, or when the log went on meanwhile.
    package func accept(_ head: LogHead) throws {
        guard let bundle = keys.bundle else {
            throw Failure(
                .refused, "only the owner of \(store.location) accepts a head of its log",
                advice: "Give the repository's passphrase.")
        }
        try appendAsSite { state in
            guard state.head == head.number, state.headHash == head.hash else {
                throw Failure(
                    .refused, "the log in \(store.location) went on to record \(state.head) meanwhile",
                    advice: "Nothing was accepted. Look at it again.")
            }
            let content = Statement.Content.acceptHead(vault: vault, number: head.number, hash: head.hash)
            return .statement(try Statement(content, of: id, root: bundle.root))
        }
    }
}
