import Platform
import Repository

extension Console {
    /// What of another branch of a log can be had, and how.
    /// - Parameter advises: whether to say how this log is accepted as it is, where that was not done.
    func tell(_ fork: LogFork, advises: Bool = true) throws {
        for snapshot in fork.snapshots { try say("    \(fork.meaning(of: snapshot))") }
        if advises, !fork.isAccepted { try say("    \(fork.advice)") }
        try tell([
            ("event", "fork"), ("vault", .text(fork.vault)), ("mirroredBy", .text(fork.location)),
            ("firstRecord", .number(fork.first)), ("lastRecord", .number(fork.last)),
            ("records", .number(fork.records)), ("statements", .number(fork.statements)),
            ("accepted", .flag(fork.isAccepted)), ("snapshots", .list(fork.snapshots.map(Self.object))),
        ])
    }

    private static func object(_ snapshot: LogFork.Snapshot) -> JSON {
        var members: [(String, JSON)] = [
            ("id", .text(snapshot.id.hex)), ("record", .number(snapshot.record)), ("isThere", .flag(snapshot.isThere)),
        ]
        if let packs = snapshot.packs {
            members += [("packs", .number(packs)), ("packsFound", .number(snapshot.packsFound))]
        }
        return .object(members)
    }
}
