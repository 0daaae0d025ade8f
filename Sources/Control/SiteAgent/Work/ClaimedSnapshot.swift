import Logging
import Platform
import Repository
import Sealing

/// A snapshot that is being read: while it is claimed in the log, no collector takes away what it needs.
struct ClaimedSnapshot: Sendable {
    let reader: SnapshotReader
    private let claim: ClaimID?

    /// A claim that cannot be had (the vault is full, or read-only) does not keep anybody from a restore.
    init(_ repository: Repository, _ snapshot: Snapshot, runningMachine: Bool, logger: Logger) throws(Failure) {
        var claim: ClaimID?
        do {
            claim = try repository.claim(runningMachine ? .machine(snapshot.id) : .read(snapshot.id))
        } catch {
            logger.warning("Reading without a claim", metadata: ["snapshot": "\(snapshot.id)", "why": "\(error)"])
        }
        self.claim = claim
        do throws(Failure) {
            reader = try SnapshotReader(repository, snapshot)
            // A machine would come upon blocks that nobody gives while it runs.
            if runningMachine { try reader.requireTemplates() }
        } catch {
            if let claim { try? repository.release(claim) }
            throw error
        }
    }

    /// Once it is no longer read.
    func release(logger: Logger) {
        guard let claim else { return }
        do { try reader.repository.release(claim) } catch {
            logger.warning("A claim was not released", metadata: ["claim": "\(claim)", "why": "\(error)"])
        }
    }
}
