internal import ArgumentParser
import Platform
import Repository

/// How much memory a command holds to.
struct MemoryOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("memory"),
        help: ArgumentHelp("Memory to hold to, whatever the repository's size: 192MiB or more.", valueName: "size"))
    var text = "256MiB"

    func validate() throws {
        do throws(Failure) { _ = try MemoryBudget(text) } catch {
            throw ValidationError("--memory: \(error.what). \(error.advice)")
        }
    }

    /// As given; it was looked at before.
    var budget: MemoryBudget { (try? MemoryBudget(text)) ?? .standard }
}

/// A command whose memory can be chosen.
protocol MemoryBoundCommand: EngineCommand {
    var memory: MemoryOptions { get }
}
