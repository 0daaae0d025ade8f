import Platform
import Repository

extension Sequence<LogFork> {
    /// What remains to be done about the first that the owner did not accept; empty where there is none.
    var advice: String { first { !$0.isAccepted }?.advice ?? "" }
}

extension Console {
    /// What of another branch of a log can be had, and how. What remains to be done, the error at the end says.
    func tell(_ fork: LogFork) throws {
        for snapshot in fork.snapshots { try say("    \(fork.meaning(of: snapshot))") }
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
