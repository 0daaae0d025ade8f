internal import Platform

/// An object cannot be had from the origin: not there, or not what its name promises.
struct OriginProblem: Error {
    let failure: Failure

    /// Runs what reads the origin only, and marks what is wrong with it as the origin's.
    static func marking<Result>(_ body: () throws(Failure) -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            guard error.code == .damaged || error.code == .notFound else { throw error }
            throw OriginProblem(failure: error)
        }
    }
}

/// A name of the session cannot be used any more: its bytes at the destination are others, or gone.
struct SessionSpoiled: Error {
    let failure: Failure

    /// What a failure at the destination means: the session's name is spoiled, or what the failure says.
    static func meaning(_ failure: Failure) -> any Error {
        failure.code == .damaged || failure.code == .notFound ? SessionSpoiled(failure: failure) : failure
    }
}

/// The destination's log would give the commit no effect in its newest state.
struct CommitRefused: Error {
    let failure: Failure
}
