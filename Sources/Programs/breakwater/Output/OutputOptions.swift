internal import ArgumentParser

/// How a command prints.
struct OutputOptions: ParsableArguments, Sendable {
    @Flag(name: .long, help: "Print JSON, one object a line, also on a terminal.")
    var json = false

    @Flag(name: .long, help: "Print for people, also into a pipe.")
    var text = false

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    func validate() throws {
        if json && text { throw ValidationError("--json and --text exclude each other.") }
    }
}
