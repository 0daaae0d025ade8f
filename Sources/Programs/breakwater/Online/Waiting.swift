import Model
import Platform
import Wire

/// Waits for what the agents do, with a line of progress. The coordinator holds each question until something has
/// changed; while it cannot be reached it is asked again.
enum Waiting {
    private static let patience = 20

    /// - Throws: what the job failed with, so that the exit code is that of the failure.
    static func forJob(_ job: Job, _ client: OperatorClient, _ bench: Workbench) async throws -> Int32 {
        var job = job
        let progress = bench.progress(job.kind.rawValue)
        while !job.state.isOver {
            if let now = job.progress {
                if let total = now.total { progress.expect(total) }
                try progress.update(bytes: now.done, files: now.files)
            }
            job = try await ask(
                Job.self, "\(OperatorRoute.jobs)/\(job.id)", after: "\(job.changed.nanoseconds)", client, bench)
        }
        try JobWords.show(job, bench)
        switch job.state {
        case .failed(let failure): throw failure.failure
        case .cancelled:
            throw Failure(.cancelled, "Job \(job.id) was cancelled", advice: "Order it again if it is wanted.")
        case .done(.check(let result)) where !result.damaged.isEmpty:
            throw Failure(
                .damaged, "\(Words.count(result.damaged.count, "object is", "objects are")) damaged",
                advice: "The names stand above")
        case .queued, .leased, .running, .cancelling, .done: return 0
        }
    }

    /// Until the run is ready, or cleaned up when `cleanedUp` is asked for.
    static func forRun(
        _ run: RecoveryRun, cleanedUp: Bool, _ client: OperatorClient, _ bench: Workbench
    ) async throws -> Int32 {
        var run = run
        var seen = run.state
        while !isOver(run, cleanedUp: cleanedUp) {
            run = try await ask(
                RecoveryRun.self, "\(OperatorRoute.recoveryRuns)/\(run.id)", after: run.state.rawValue, client, bench)
            if run.state != seen { bench.console.draw("recovery  \(run.state.rawValue)") }
            seen = run.state
        }
        try RecoveryWords.show(run, bench)
        if run.state == .failed { throw run.failure?.failure ?? Failure(.failed, "The recovery failed") }
        return 0
    }

    private static func isOver(_ run: RecoveryRun, cleanedUp: Bool) -> Bool {
        switch run.state {
        case .cleanedUp, .failed: true
        case .ready: !cleanedUp
        case .declared, .starting, .probing, .cleaning: false
        }
    }

    private static func ask<Reply: Decodable>(
        _ type: Reply.Type, _ path: String, after seen: String, _ client: OperatorClient, _ bench: Workbench
    ) async throws -> Reply {
        try bench.interruption.check()
        let query = [("wait", "\(patience)"), ("after", seen)]
        return try await Retry(attempts: 8, surroundings: bench.surroundings).run { () throws(Failure) in
            try await client.get(type, path, query: query, patience: Int64(patience))
        }
    }
}
