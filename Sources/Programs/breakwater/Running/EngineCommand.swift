internal import ArgumentParser

/// A command that works on vaults: synchronous, run on an engine thread.
protocol EngineCommand: ParsableCommand, Sendable {
    var output: OutputOptions { get }

    /// For a command that changes nothing: what to say when it is interrupted, which ends it at once. Nil for one that
    /// winds up by itself: it asks `bench.interruption` as it goes.
    static var whenInterrupted: String? { get }

    /// Does it, and gives the exit code.
    func perform(_ bench: Workbench) throws -> Int32
}

extension EngineCommand {
    static var whenInterrupted: String? { "Nothing was changed." }
}

/// A command that talks to the coordinator. It is cancelled when it is interrupted.
protocol OnlineCommand: ParsableCommand, Sendable {
    var output: OutputOptions { get }
    func perform(_ bench: Workbench) async throws -> Int32
}
