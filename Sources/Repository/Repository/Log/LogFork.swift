package import Platform
internal import Sealing

/// Another branch of a vault's log, as another vault mirrored it or copied from it: the log lost its end, and went on with
/// other records; or it was put back to a branch that had been given up.
///
/// The log decides: what only the other branch says is no part of the vault. It is named, so that what was committed there
/// can be had where it still lies.
package struct LogFork: Sendable, Equatable {
    /// A snapshot that only the other branch commits.
    package struct Snapshot: Sendable, Hashable {
        package var id: Digest
        /// The record that commits it there.
        package var record: UInt64
        /// The vault that mirrored the branch has it committed itself: it can be restored from there, and copied back.
        package var isThere: Bool
        /// Packs that its sets name; nil where these cannot be read.
        package var packs: UInt64?
        /// How many of them lie in one of the two vaults.
        package var packsFound: UInt64 = 0
    }

    /// Where the vault lies whose log it is.
    package var vault: String
    /// Where the vault lies that mirrored the branch.
    package var location: String
    /// Its mirror has the branch. Otherwise what was copied from there tells of it, and of no more of its records than those
    /// that committed that.
    package var isMirrored: Bool
    /// It is another vault, and no copy of this one.
    package var isOfAnotherVault: Bool
    /// The first record that is another here than there.
    package var first: UInt64
    /// The last one that was mirrored.
    package var last: UInt64
    /// Authentic records from the first to the last.
    package var records: UInt64
    /// How many of them pass on a word of the owner.
    package var statements: UInt64
    /// Those that are not in this vault, by either branch neither forgotten, in the order of their records.
    package var snapshots: [Snapshot]
    /// The owner accepted a head of this log that comes after the fork.
    package var isAccepted: Bool

    /// A sentence without a full stop.
    package var meaning: String {
        guard isMirrored else {
            return
                "\(location) copied \(records.counted("snapshot", "snapshots")) from another branch of the log, the first by record "
                + "\(first), which is another here: the log went back to a branch that had been left"
        }
        let range = first == last ? "record \(first)" : "records \(first) to \(last)"
        var text =
            "\(range) of the log as \(location) mirrored it \(first == last ? "is" : "are") not in it: it lost its end "
        text += "there and went on without \(records.counted("record", "records"))"
        if statements > 0 { text += ", of which \(statements.counted("record", "records")) passed on the owner's word" }
        return text + (snapshots.isEmpty ? "" : ", and without \(snapshots.count.counted("snapshot", "snapshots"))")
    }

    /// How a snapshot of the branch can be had, a sentence without a full stop.
    package func meaning(of snapshot: Snapshot) -> String {
        let id = snapshot.id.hex.prefix(12)
        if snapshot.isThere {
            let back =
                "`breakwater repository copy --from \(location) --to \(vault)` with --passphrase-file brings it back"
            return "snapshot \(id) can be restored from \(location)" + (isOfAnotherVault ? "; \(back)" : "")
        }
        guard let packs = snapshot.packs else { return "what snapshot \(id) needs is not known: its sets are gone" }
        let found = "\(snapshot.packsFound) of its \(packs.counted("pack", "packs"))"
        return "snapshot \(id) is in no vault at hand; \(found) can be found"
    }

    /// What remains to be done, sentences.
    package var advice: String {
        "Nothing is merged: the log decides. When what is wanted was brought back, "
            + "`breakwater repository accept-head --vault \(vault) --passphrase-file F --also \(location)` says that the "
            + "log is right as it is."
    }
}
