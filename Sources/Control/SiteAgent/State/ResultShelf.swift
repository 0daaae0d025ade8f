package import Model
package import Platform
import Wire

/// Results of work that is done, until the coordinator has them: a job that is delivered again is reported from here
/// and not done twice.
package struct ResultShelf: Sendable {
    let directory: String

    package func result(of job: Job.ID) throws(Failure) -> WorkResult? {
        guard let bytes = try PrivateFile.read(file(job)) else { return nil }
        return try CanonicalJSON.decode(WorkResult.self, from: bytes, wrong: .damaged)
    }

    package func keep(_ result: WorkResult, of job: Job.ID) throws(Failure) {
        try PrivateFile.write(try CanonicalJSON.encode(result), to: file(job))
    }

    /// The coordinator has it.
    package func clear(_ job: Job.ID) throws(Failure) {
        try PrivateFile.remove(file(job))
        try PrivateFile.remove(intent(job))
    }

    /// Where a job writes down what it is about to do.
    package func intent(_ job: Job.ID) -> String { "\(file(job)).intent" }

    private func file(_ job: Job.ID) -> String { "\(directory)/\(job)" }
}
