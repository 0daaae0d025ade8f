internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// Forgets snapshots, by a policy or by their ids.
struct ForgetCommand: MemoryBoundCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Forget snapshots by a policy, or by their ids, and say why each stays or goes.",
        discussion: """
            A forgotten snapshot cannot be restored any more; `collect` frees its space. Each desktop is counted for itself, \
            by its signed sequence; days are those of UTC. The newest good snapshot of a desktop always stays under a \
            policy, and so does whatever the desktop's clock cannot vouch for.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var memory: MemoryOptions

    @Option(name: .long, help: ArgumentHelp("Keep the last N.", valueName: "n"))
    var keepLast = 0
    @Option(
        name: .long, help: ArgumentHelp("Keep the newest of each of the last N days that have one.", valueName: "n"))
    var keepDaily = 0
    @Option(name: .long, help: ArgumentHelp("The same by weeks.", valueName: "n"))
    var keepWeekly = 0
    @Option(name: .long, help: ArgumentHelp("The same by months.", valueName: "n"))
    var keepMonthly = 0
    @Option(name: .long, help: ArgumentHelp("The same by years.", valueName: "n"))
    var keepYearly = 0

    @Option(name: .long, help: "Only the snapshots of this desktop.")
    var name: String?

    @Option(name: .long, help: ArgumentHelp("Ask before more than this share goes, in percent.", valueName: "percent"))
    var maxShare = 50

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(name: .long, help: "Say what would stay and go, and change nothing.")
    var dryRun = false

    @Argument(help: "Ids of snapshots, in place of a policy.")
    var snapshots: [String] = []

    static let whenInterrupted: String? = nil

    private var policy: RetentionPolicy {
        var policy = RetentionPolicy()
        policy.last = keepLast
        policy.daily = keepDaily
        policy.weekly = keepWeekly
        policy.monthly = keepMonthly
        policy.yearly = keepYearly
        return policy
    }

    func validate() throws {
        if [keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly].contains(where: { $0 < 0 }) {
            throw ValidationError("The --keep options take a number of at least 1.")
        }
        if policy.isEmpty == snapshots.isEmpty {
            throw ValidationError("Give a policy by --keep options, or ids of snapshots: one of the two.")
        }
        if snapshots.contains(where: { $0.hasPrefix("latest:") }) {
            throw ValidationError("What is forgotten is named by its id: latest: may be another one by then.")
        }
        if !snapshots.isEmpty, name != nil { throw ValidationError("--name goes with a policy, not with ids.") }
        if !(0...100).contains(maxShare) { throw ValidationError("--max-share takes 0 to 100.") }
    }

    func perform(_ bench: Workbench) throws -> Int32 {
        let secret = try passphrase.read(bench.console)
        let repository = try bench.open(vault.path, dryRun ? .reading : .writing, passphrase: secret)
        if !snapshots.isEmpty { return try forgetByID(repository, bench) }
        let (points, names) = try repository.retentionPoints(named: name)
        guard !points.isEmpty else {
            throw Failure(
                .notFound, "there is no snapshot\(name.map { " named \($0)" } ?? "") to forget",
                advice: "`breakwater repository snapshots` lists them.")
        }
        let plan = RetentionPlan(points, policy, now: bench.surroundings.now())
        for verdict in plan.verdicts {
            try tell(
                verdict.point, stays: verdict.stays, verdict.reasons.map(\.words), names[verdict.point.id],
                bench.console)
        }
        if !dryRun { try ask(about: plan.going.count, of: points.count, bench) }
        return try conclude(plan.going, of: points.count, repository, bench)
    }

    private func forgetByID(_ repository: Repository, _ bench: Workbench) throws -> Int32 {
        let all = repository.log.state.recoveryPoints
        var chosen: [Digest] = []
        for text in snapshots {
            let id = try repository.snapshotID(text)
            if !chosen.contains(id) { chosen.append(id) }
        }
        if dryRun {
            let (points, names) = try repository.retentionPoints()
            for point in points where chosen.contains(point.id) {
                try tell(point, stays: false, ["named by its id"], names[point.id], bench.console)
            }
        } else {
            try ask(about: chosen.count, of: all.count, bench)
        }
        return try conclude(chosen, of: all.count, repository, bench)
    }

    /// - Throws: `.refused` when more than the share would go, and nobody says yes.
    private func ask(about going: Int, of all: Int, _ bench: Workbench) throws {
        guard going * 100 > all * maxShare else { return }
        let words =
            "\(going) of \(Words.count(all, "snapshot", "snapshots")) would be forgotten, more than \(maxShare) in a "
            + "hundred"
        try bench.confirm("\(words), for ever. Forget them?", isGiven: yes, otherwise: words)
    }

    private func conclude(_ going: [Digest], of all: Int, _ repository: Repository, _ bench: Workbench) throws -> Int32
    {
        let console = bench.console
        var done: (forgotten: [Digest], running: [Digest]) = (going, [])
        if !dryRun { done = try repository.forget(going) }
        let words = dryRun ? "would be forgotten" : "forgotten"
        let next = done.forgotten.isEmpty || dryRun ? "" : " `breakwater repository collect` frees the space."
        try console.say(
            "\(Words.count(done.forgotten.count, "snapshot", "snapshots")) \(words), "
                + "\(Words.count(all - done.forgotten.count, "stays", "stay")).\(next)")
        try console.tell([
            ("event", "result"), ("dryRun", .flag(dryRun)),
            ("forgotten", .list(done.forgotten.map { .text($0.hex) })),
            ("stay", .number(UInt64(all - done.forgotten.count))),
        ])
        guard !done.running.isEmpty else { return 0 }
        throw Failure(
            .partial,
            "a machine runs on \(done.running.map { String($0.hex.prefix(12)) }.joined(separator: ", ")): not forgotten",
            advice: "Forget it when that machine has ended.")
    }

    private func tell(
        _ point: RetentionPoint, stays: Bool, _ reasons: [String], _ name: String?, _ console: Console
    ) throws {
        let time = point.time.map(Words.localTime) ?? "-"
        try console.say(
            "\(stays ? "stays" : "goes ")  \(point.id.hex.prefix(12))  \(time)  \(Words.visible(name ?? "?"))  "
                + reasons.joined(separator: ", "))
        try console.tell([
            ("event", "snapshot"), ("id", .text(point.id.hex)), ("name", .text(name ?? "")),
            ("time", .text(point.time.map { Words.time($0) } ?? "")), ("stays", .flag(stays)),
            ("reasons", .list(reasons.map { .text($0) })),
        ])
    }
}

extension RetentionPlan.Reason {
    fileprivate var words: String {
        switch self {
        case .newest: "the newest good one"
        case .newestIncomplete: "the newest one, incomplete"
        case .last(let place): place == 1 ? "the last" : "the last but \(place - 1)"
        case .newestOf(let period): "the newest of \(period)"
        case .machine: "a machine runs on it"
        case .damaged: "damaged: only by its id"
        case .clock: "its time is out of order with its sequence or in the future: only by its id"
        case .superseded(let period): "a later one of \(period) stays"
        case .beyond: "older than what is kept"
        }
    }
}
