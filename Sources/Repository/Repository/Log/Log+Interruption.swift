internal import ObjectStore
package import Platform

/// A log of which a record is lost is read as far as it goes, and whoever reads it is told.
extension Log {
    /// The first record that neither half nor mirror gives.
    package struct Interruption: Sendable, Hashable {
        package var number: UInt64
        /// Bytes that are no record of this log lie at its number; otherwise nothing does.
        package var isJunk: Bool
        /// Something lies at its number, and the store does not give it.
        package var isUnread = false

        /// What is the matter with the record: a predicate.
        package var trouble: String {
            if isJunk { return "holds bytes that are no record" }
            return isUnread ? "cannot be read" : "is lost"
        }
    }

    /// Where the log is interrupted: what was appended from there on is not known.
    package var interruption: Interruption? {
        monitor.access { contents in
            if contents.state.blockedBy != nil, let number = contents.blockedAt {
                return Interruption(number: number, isJunk: true)
            }
            return contents.gap.map { Interruption(number: $0, isJunk: false, isUnread: contents.isGapUnread) }
        }
    }

    package var isInterrupted: Bool { interruption != nil }

    /// `.partial`, in words for a person, when the log is interrupted.
    package var shortfall: Failure? {
        interruption.map { cut in
            Failure(
                .partial,
                "record \(cut.number) of the log in \(store.location) \(cut.trouble): snapshots committed from there on are not seen",
                advice: "What comes before it is safe. \(whatToDo(cut))")
        }
    }

    /// How an interrupted log is read on, or given up from its interruption on.
    func whatToDo(_ cut: Interruption) -> String {
        let repairing =
            "`breakwater repository check` names what is hidden; `repair --from` takes the record from a vault that has it"
        guard !cut.isUnread else {
            return "Look at the owner and the mode of the record: once it can be read, nothing is lost. \(repairing)."
        }
        return repairing
            + "; where none has, `breakwater repository void --vault \(store.location) --passphrase-file F \(cut.number)` gives it up."
    }
}
