import Model
import Platform

/// A job in lines for people.
enum JobWords {
    static func show(_ job: Job, _ bench: Workbench) throws {
        var lines = [
            ("job", job.id.text), ("kind", job.kind.rawValue), ("site", job.site.text), ("tenant", job.tenant.text),
            ("desktop", job.desktop?.text ?? ""), ("state", job.state.name.rawValue), ("term", "\(job.term)"),
        ]
        switch job.state {
        case .done(let result): lines += outcome(result)
        case .failed(let failure): lines.append(("why", failure.failure.description))
        case .queued, .leased, .running, .cancelling, .cancelled: break
        }
        try bench.console.show(job, lines)
    }

    private static func outcome(_ result: WorkResult) -> [(String, String)] {
        switch result {
        case .initialiseRepository, .stopMachine: []
        case .backup(let backup):
            [
                ("snapshot", backup.snapshot),
                ("read", "\(Words.bytes(backup.bytes)), \(Words.count(backup.files, "file", "files"))"),
                ("stored", Words.bytes(backup.storedBytes)), ("took", seconds(backup.milliseconds)),
                ("warnings", backup.warnings.joined(separator: "; ")),
            ]
        case .replicate(let copy):
            [
                ("snapshots", "\(copy.snapshots.count)"), ("copied", Words.bytes(copy.copiedBytes)),
                ("took", seconds(copy.milliseconds)), ("warnings", copy.warnings.joined(separator: "; ")),
            ]
        case .restore(let restore):
            [
                ("restored", "\(Words.bytes(restore.bytes)), \(Words.count(restore.files, "file", "files"))"),
                ("took", seconds(restore.milliseconds)), ("warnings", restore.warnings.joined(separator: "; ")),
            ]
        case .recover(let evidence): RecoveryWords.lines(evidence)
        case .check(let check):
            [
                ("checked", "\(Words.count(check.objects, "object", "objects")), \(Words.bytes(check.bytesRead)) read"),
                ("damaged", check.damaged.isEmpty ? "nothing" : check.damaged.joined(separator: ", ")),
                ("snapshots touched", check.snapshotsTouched.joined(separator: ", ")),
            ]
        }
    }

    static func seconds(_ milliseconds: UInt64) -> String {
        "\(milliseconds / 1000).\(String(milliseconds % 1000 + 1000).dropFirst()) s"
    }
}

/// A recovery run in lines for people.
enum RecoveryWords {
    static func show(_ run: RecoveryRun, _ bench: Workbench) throws {
        var lines = [
            ("run", run.id.text), ("desktop", run.plan.desktop.text), ("site", run.plan.site.text),
            ("state", run.state.rawValue), ("snapshot", String(run.snapshot.prefix(16))),
            ("declared", Words.localTime(run.times.declared)),
        ]
        if let milliseconds = run.recoveryMilliseconds {
            lines.append(("ready after", JobWords.seconds(UInt64(max(0, milliseconds)))))
        }
        lines.append(("data lost", JobWords.seconds(UInt64(max(0, run.lossMilliseconds)))))
        if let evidence = run.evidence { lines += self.lines(evidence) }
        if let failure = run.failure { lines.append(("why", failure.failure.description)) }
        try bench.console.show(run, lines)
    }

    static func lines(_ evidence: RecoveryEvidence) -> [(String, String)] {
        [
            ("ready line", evidence.readyLine), ("answered by", evidence.answeredBy),
            ("screenshot", evidence.screenshot ?? "none"), ("accelerator", evidence.accelerator),
            ("reach", evidence.reach.joined(separator: ", ")),
        ]
    }
}
