package import Platform
package import Sealing

/// Where a check by byte budget goes on: the last object it looked at, in the order of their keys.
///
/// A place says nothing of what was found, but in how many runs of the round something was. Of a vault that changed since
/// (objects collected or new, a log that went back) it is a place all the same, since it orders keys and names none that must
/// be there; one that is lost or made up costs a round, and is no less safe.
package struct CheckPlace: Sendable, Hashable {
    /// Rounds over the whole vault, the first being 1.
    package var round: UInt64
    /// The key of the last object of this round; empty at its beginning.
    package var after: String
    /// Read in this round so far.
    package var bytes: UInt64
    /// Runs of this round so far that found damage.
    package var damagedRuns: UInt64

    package init(round: UInt64 = 1, after: String = "", bytes: UInt64 = 0, damagedRuns: UInt64 = 0) {
        self.round = round
        self.after = after
        self.bytes = bytes
        self.damagedRuns = damagedRuns
    }
}

/// What checks by byte budget remember from one run to the next, by vault and by the place it is reached at: a copy of
/// a vault elsewhere is checked for itself.
package protocol CheckMemory: Sendable {
    /// Nil when there is none, or none that can be read.
    func place(of vault: VaultID, at location: String) throws(Failure) -> CheckPlace?
    func keep(_ place: CheckPlace, of vault: VaultID, at location: String) throws(Failure)
}

/// How far a check by byte budget has come.
package struct CheckPart: Sendable, Equatable {
    package var round: UInt64
    /// Objects that lie behind in this round, and all there are now.
    package var passed: UInt64
    package var of: UInt64
    /// Read in this round, by this run and those before.
    package var bytes: UInt64
    /// Runs of this round that found damage, this one among them.
    package var damagedRuns: UInt64
    /// The last object was reached: the next run begins again.
    package var isRoundComplete: Bool
}
