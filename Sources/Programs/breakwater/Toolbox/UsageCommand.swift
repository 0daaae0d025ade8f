internal import ArgumentParser
import ObjectStore
import Platform
import Repository
import Sealing

/// Says what a vault's space is taken by.
struct UsageCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "usage", abstract: "Show what is live, what can be freed, and what not yet and why.",
        discussion: """
            No passphrase is needed. Packs that outlived the snapshot which brought them are named besides: what in them is \
            dead can be repacked, and how much that is `collect --dry-run` says with the passphrase. The log itself, key slots \
            and other vaults' logs are not counted. Of a vault that locks its data the store is asked for each object's lock.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    static let isListing = true

    func perform(_ bench: Workbench) throws -> Int32 {
        let repository = try bench.openKeyless(vault.path, .reading)
        let plan = try Collector(repository).plan()
        let locks = try repository.locks(of: plan.items.map(\.object.name))
        let usage = VaultUsage(plan, repository.log.state, locks: locks)
        try usage.print(bench.console)
        let repacking = try usage.printOutlived(bench.console)
        if let locked = usage.locked {
            try bench.console.say(
                "locked   \(Words.bytes(locked.share.bytes)) in \(Words.count(locked.share.objects, "object", "objects")) of "
                    + "these, the last until \(locked.until.utc)")
        }
        let space = try repository.store.space()
        if let space {
            try bench.console.say("free     \(Words.bytes(space.free)) of \(Words.bytes(space.total)) on that disk")
        }
        try bench.console.tell(
            [
                ("event", "result"), ("live", .number(usage.live.bytes)),
                ("reclaimable", .number(usage.reclaimable.bytes)), ("notYet", .number(usage.notYet.bytes)),
            ] + repacking
                + (usage.locked.map { [("locked", .number($0.share.bytes)), ("lockedUntil", .text($0.until.utc))] }
                    ?? [])
                + (space.map { [("free", .number($0.free)), ("total", .number($0.total))] } ?? []))
        return 0
    }
}

extension VaultUsage {
    /// A line for every reason.
    func print(_ console: Console) throws {
        for line in lines {
            let size = "\(Words.bytes(line.share.bytes)) in \(Words.count(line.share.objects, "object", "objects"))"
            try console.say("\(line.reason.word)\(size)\(line.reason.explanation)")
            try console.tell([
                ("event", "usage"), ("state", .text(line.reason.state)), ("objects", .number(line.share.objects)),
                ("bytes", .number(line.share.bytes)), ("reason", .text(line.reason.cause)),
            ])
        }
    }
}

extension VaultUsage.Reason {
    fileprivate var state: String {
        switch self {
        case .live: "live"
        case .reclaimable, .condemned: "reclaimable"
        case .afterCheckpoint, .unfinished, .snapshotClaim, .sessionClaim, .locked: "notYet"
        }
    }

    fileprivate var word: String {
        switch state {
        case "live": "live     "
        case "reclaimable": "can go   "
        default: "not yet  "
        }
    }

    fileprivate var cause: String {
        switch self {
        case .live: ""
        case .reclaimable: "no snapshot needs it"
        case .condemned: "condemned, and not deleted yet"
        case .afterCheckpoint: "needs a checkpoint of the log"
        case .unfinished:
            "an unfinished backup stored it, and the next one of that name goes on from there; a later `collect` frees it, "
                + "`collect --release-claims` at once"
        case .snapshotClaim(let snapshot, let kind):
            kind == "lean"
                ? "other repositories lean on template \(snapshot.hex.prefix(12))"
                : "snapshot \(snapshot.hex.prefix(12)) is claimed by a \(kind == "read" ? "reader" : kind)"
        case .sessionClaim(_, let session): "a backup or copy claims it (session \(session.hex.prefix(12)))"
        case .locked(let until): "no snapshot needs it, and the store keeps it locked, the last until \(until.utc)"
        }
    }

    fileprivate var explanation: String { cause.isEmpty ? "" : ": \(cause)" }
}
