internal import ArgumentParser

/// A command that works on vaults: synchronous, run on an engine thread.
protocol EngineCommand: ParsableCommand, Sendable {
    var output: OutputOptions { get }

    /// For a command that changes nothing: what to say when it is interrupted, which ends it at once. Nil for one that
    /// winds up by itself: it asks `bench.interruption` as it goes.
    static var whenInterrupted: String? { get }

    /// Whether it does nothing but list, so that a reader who has seen enough ends it, well. Any other goes on unread: what it
    /// does and finds decides its exit code, not whether somebody reads of it.
    static var isListing: Bool { get }

    /// Does it, and gives the exit code.
    func perform(_ bench: Workbench) throws -> Int32
}

extension EngineCommand {
    static var whenInterrupted: String? { "Nothing was changed." }
    static var isListing: Bool { false }
}

/// A command that talks to the coordinator. It is cancelled when it is interrupted.
protocol OnlineCommand: ParsableCommand, Sendable {
    var output: OutputOptions { get }
    func perform(_ bench: Workbench) async throws -> Int32
}
