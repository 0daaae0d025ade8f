import Platform
import Repository

extension RepackPlan {
    /// A line for each fate, and what stands against it all.
    /// - Returns: the same, for the result.
    func print(_ console: Console) throws -> [(String, JSON)] {
        let moving = dead { $0 == .moves }
        try Self.print(moving, "repack   ", "reclaimable by repacking", console)
        let alive = dead { $0 == .mostlyAlive }
        try Self.print(alive, "not yet  ", "dead, and too much beside it is alive to repack it", console)
        let locked = dead { $0.isLocked }
        try Self.print(locked, "not yet  ", "dead, in packs that the store keeps locked", console)
        if left > 0 {
            try console.say("         \(Words.count(left, "more pack", "more packs")): looked into by a later run")
        }
        if let postponed { console.warn("nothing would be repacked now: \(postponed)") }
        for pack in packs {
            try console.tell([
                ("event", "repack"), ("object", .text(pack.object.name.path)), ("bytes", .number(pack.object.length)),
                ("dead", .number(pack.dead)), ("fate", .text(pack.fate.word)),
            ])
        }
        return [("repackable", .number(moving.bytes)), ("repackablePacks", .number(moving.objects))]
            + (postponed.map { [("repackPostponed", .text($0))] } ?? [])
    }

    private static func print(
        _ share: CollectReport.Share, _ word: String, _ meaning: String, _ console: Console
    ) throws {
        guard share.objects > 0 else { return }
        try console.say(
            "\(word)about \(Words.bytes(share.bytes)) in \(Words.count(share.objects, "pack", "packs")): \(meaning)")
    }
}

extension RepackPlan.Fate {
    fileprivate var isLocked: Bool { if case .locked = self { true } else { false } }

    fileprivate var word: String {
        switch self {
        case .moves: "moves"
        case .mostlyAlive: "mostlyAlive"
        case .locked: "locked"
        }
    }
}

extension VaultUsage {
    /// What repacking frees at most, as far as it can be told without a key.
    /// - Returns: the same, for the result.
    func printOutlived(_ console: Console) throws -> [(String, JSON)] {
        if outlived.objects > 0 {
            try console.say(
                "repack   at most \(Words.bytes(outlived.bytes)) in \(Words.count(outlived.objects, "pack", "packs")) of what "
                    + "is live: reclaimable by repacking; how much, `collect --dry-run` says with the passphrase")
        }
        return [("repackableAtMost", .number(outlived.bytes))]
    }
}
