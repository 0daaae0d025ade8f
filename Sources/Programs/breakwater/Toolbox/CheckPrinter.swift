import Platform
import Repository

/// Says what a check found.
struct CheckPrinter {
    private let report: CheckReport
    private let bench: Workbench
    private var console: Console { bench.console }
    /// Short ids of the snapshots touched, with the names of those that can be opened.
    private let names: [Digest: String]
    /// Whether losses were looked for.
    private let isKeyed: Bool
    private let losses: [Place: [CheckLoss]]

    private struct Place: Hashable {
        var snapshot: Digest
        var pack: Digest
    }

    /// - Parameter repository: nil when it does not open.
    init(_ report: CheckReport, _ repository: Repository?, _ bench: Workbench) {
        self.report = report
        self.bench = bench
        isKeyed = repository.map { $0.keys.secret != nil && !$0.keys.readers.isEmpty } ?? false
        var names: [Digest: String] = [:]
        for id in Set(report.snapshotsTouched + report.losses.map(\.snapshot) + report.elsewhere.keys) {
            var text = String(id.hex.prefix(12))
            if let repository, let committed = repository.log.state.snapshots[id],
                let opened = try? repository.snapshot(committed)
            {
                text += " (\(Words.visible(opened.name)))"
            }
            names[id] = text
        }
        self.names = names
        losses = Dictionary(grouping: report.losses.filter { $0.pack != nil }) {
            Place(snapshot: $0.snapshot, pack: $0.pack ?? .zero)
        }
    }

    private func name(_ id: Digest) -> String { names[id] ?? id.hex }

    func print(since start: UInt64) throws {
        for note in report.notes { console.warn(note) }
        for stranger in report.strangers { console.warn("\(stranger) is none of the repository's") }
        try printUncommitted()
        for finding in report.findings { try print(finding) }
        for finding in report.unneeded {
            try console.say(
                "not needed: \(finding.object): \(finding.meaning); no snapshot needs it, and `collect` takes it away")
            try console.tell([
                ("event", "notNeeded"), ("object", .text(finding.object)), ("damage", .text(finding.damage.rawValue)),
                ("meaning", .text(finding.meaning)),
            ])
        }
        for fork in report.forks { try console.tell(fork) }
        try printLosses(report.losses.filter { $0.pack == nil }, object: "", indent: "")
        for (id, count) in report.lossesLeftOut.sorted(by: { $0.key < $1.key }) {
            try console.say("snapshot \(name(id)) lost \(count) more, which --all-losses names")
            try console.tell([
                ("event", "lostBesides"), ("snapshot", .text(id.hex)), ("count", .number(count)),
            ])
        }
        for (id, bytes) in report.elsewhere.sorted(by: { $0.key < $1.key }) {
            try console.say(
                "elsewhere: \(Words.bytes(bytes)) of snapshot \(name(id)) are a template's, which --base looks for")
            try console.tell([
                ("event", "elsewhere"), ("snapshot", .text(id.hex)), ("bytes", .number(bytes)),
            ])
        }
        for id in report.snapshotsTouched { try console.say("touched: snapshot \(name(id))") }
        try printResult(since: start)
    }

    private func printUncommitted() throws {
        guard !report.uncommitted.isEmpty else { return }
        let count = UInt64(report.uncommitted.count)
        let ids = report.uncommitted.prefix(20).map { String($0.hex.prefix(12)) }
        console.warn(
            "\(Words.count(count, "complete manifest", "complete manifests")) that no record commits: an interrupted "
                + "backup, or a log that lost its end: \(ids.joined(separator: ", "))"
                + (count > 20 ? " and \(count - 20) more" : ""))
        try console.tell([
            ("event", "uncommitted"), ("snapshots", .list(report.uncommitted.prefix(1000).map { .text($0.hex) })),
            ("count", .number(count)),
        ])
    }

    private func print(_ finding: CheckReport.Finding) throws {
        try console.say("damaged: \(finding.object): \(finding.meaning); \(finding.recovery)")
        try console.tell([
            ("event", "damaged"), ("object", .text(finding.object)), ("damage", .text(finding.damage.rawValue)),
            ("meaning", .text(finding.meaning)), ("snapshots", .list(finding.snapshots.map { .text($0.hex) })),
            ("recovery", .text(finding.recovery.description)),
        ])
        let pack = finding.name.flatMap { $0.kind == .pack ? $0.digest : nil }
        for id in finding.snapshots {
            let lost = pack.flatMap { losses[Place(snapshot: id, pack: $0)] } ?? []
            let isSpared = pack != nil && isKeyed && lost.isEmpty && report.lossesLeftOut[id] == nil
            try console.say("    touches snapshot \(name(id))" + (isSpared ? ", which lost nothing by it" : ""))
            try printLosses(lost, object: finding.object, indent: "        ")
        }
    }

    private func printLosses(_ losses: [CheckLoss], object: String, indent: String) throws {
        for loss in losses {
            let whose = indent.isEmpty ? "lost: snapshot \(name(loss.snapshot)): " : indent
            try console.say(whose + Self.words(loss))
            try console.tell([
                ("event", "lost"), ("object", .text(object)), ("snapshot", .text(loss.snapshot.hex)),
                ("stream", .text(loss.stream)), ("kind", .text(loss.kind.rawValue)), ("path", .text(loss.path)),
                ("from", .number(loss.range.lowerBound)), ("to", .number(loss.range.upperBound)),
            ])
        }
    }

    private static func words(_ loss: CheckLoss) -> String {
        let range = "bytes \(loss.range.lowerBound)..<\(loss.range.upperBound)"
        let label = loss.stream.isEmpty ? "" : " \(Words.visible(loss.stream))"
        switch loss.kind {
        case .file: return "\(Words.visible(loss.path)): \(range)"
        case .directory: return "\(Words.visible(loss.path))/: \(range) of its entries, and what lies below those"
        case .disk: return "disk\(label): \(range)"
        case .document: return "machine definition\(label): \(range)"
        }
    }

    private func printResult(since start: UInt64) throws {
        let seconds = Double(bench.surroundings.uptime() - start) / 1e9
        var summary = "Checked \(Words.count(report.objects, "object", "objects"))"
        if report.part == nil { summary += " and \(Words.count(report.snapshots, "snapshot", "snapshots"))" }
        summary += ", reading \(Words.bytes(report.bytes)): "
        summary += report.isClean ? "all is well." : "there is damage."
        try console.say(summary)
        if let part = report.part {
            try console.say(
                part.isRoundComplete
                    ? "Round \(part.round) is complete: \(Words.bytes(part.bytes)) were read. The next run begins again."
                    : "Round \(part.round) has come to object \(part.passed) of \(part.of). The next run goes on there."
            )
            // What was found by a run before is damage still, unless it was repaired since.
            if part.isRoundComplete, part.damagedRuns > 0 {
                try console.say("Damage was found by \(Words.count(part.damagedRuns, "run", "runs")) of this round.")
            }
        }
        if report.orphans > 0 {
            try console.say(
                "\(Words.count(report.orphans, "object", "objects")) of \(Words.bytes(report.orphanBytes)), left by "
                    + "backups that were not committed: that does no harm.")
        }
        var members: [(String, JSON)] = [
            ("event", "result"), ("clean", .flag(report.isClean)), ("damaged", .number(UInt64(report.findings.count))),
            ("snapshotsTouched", .list(report.snapshotsTouched.map { .text($0.hex) })),
            ("losses", .number(UInt64(report.losses.count) + report.lossesLeftOut.values.reduce(0, +))),
            ("uncommitted", .number(UInt64(report.uncommitted.count))),
            ("objects", .number(report.objects)), ("snapshots", .number(report.snapshots)),
            ("bytesRead", .number(report.bytes)), ("orphans", .number(report.orphans)),
            ("orphanBytes", .number(report.orphanBytes)), ("seconds", .fraction(seconds)),
        ]
        if let part = report.part {
            members += [
                ("round", .number(part.round)), ("roundComplete", .flag(part.isRoundComplete)),
                ("roundBytes", .number(part.bytes)), ("passed", .number(part.passed)), ("of", .number(part.of)),
                ("roundDamagedRuns", .number(part.damagedRuns)),
            ]
        }
        try console.tell(members)
    }
}
