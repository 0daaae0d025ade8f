import Model
import Platform
import Repository
import Sealing
import Wire

/// What a backup is about to commit, written down just before: a job that is delivered again after a crash finds by
/// the session whether its commit stands, and does not back up twice.
struct BackupIntent {
    private struct Kept: Codable {
        var session: String
        var result: BackupResult
    }

    /// On the shelf of results, and cleared with the result.
    let path: String

    func keep(_ result: BackupResult, session: SessionID) throws(Failure) {
        try PrivateFile.write(try CanonicalJSON.encode(Kept(session: session.hex, result: result)), to: path)
    }

    /// The result of the commit, where it stands in the log.
    func committed(in repository: Repository) throws(Failure) -> BackupResult? {
        guard let bytes = try PrivateFile.read(path) else { return nil }
        let kept = try CanonicalJSON.decode(Kept.self, from: bytes, wrong: .damaged)
        let state = repository.log.state
        let isCommit = { (held: LogState.Committed) in !held.clear.isStage && held.clear.session.hex == kept.session }
        guard let found = state.snapshots.first(where: { isCommit($0.value) }) else { return nil }
        var result = kept.result
        result.snapshot = found.key.hex
        result.head = SiteWorker.head(repository)
        return result
    }
}
