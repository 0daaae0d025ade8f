import Model
import Platform
import Repository

extension SiteWorker {
    /// Checks the site's copy; with `readData` every byte. Damage is the result, no failure.
    ///
    /// Every byte can be held to its name without a key. Only where keys were granted besides is it seen whether
    /// every reference of every snapshot resolves.
    func check(_ work: CheckWork, _ context: WorkContext) throws -> CheckResult {
        let start = surroundings.uptime()
        let repository =
            context.assignment.grant == nil
            ? try Repository.open(
                try vault.forReading(work.repository.tenant), .keyless, expecting: try Self.id(work.repository),
                heads: try heads(work.repository), surroundings: surroundings, resources: resources)
            : try openForReading(work.repository, context)
        var options = Checker.Options()
        options.readData = work.readData
        let report = try Checker.check(repository, options) { progress in
            // Checking changes nothing, so it need not stop cleanly: the answer of a job that was stopped is dropped.
            context.tell(
                JobProgress(
                    stage: .verifying, done: progress.done, total: progress.of == 0 ? nil : progress.of,
                    stored: 0, files: 0))
        }
        try context.goOn()
        return CheckResult(
            damaged: report.findings.prefix(1000).map { String($0.object.prefix(1000)) },
            snapshotsTouched: report.snapshotsTouched.prefix(1000).map(\.hex), objects: report.objects,
            bytesRead: report.bytes, milliseconds: milliseconds(since: start), head: Self.head(repository))
    }
}
