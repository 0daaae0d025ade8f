/// What to run and how: a value to print and to test.
package struct ProcessLaunch: Sendable {
    /// Where one of the child's outputs goes.
    package enum Output: Sendable {
        case nowhere
        /// Appended to; created when missing.
        case file(String)
    }

    /// A path, or a name to be found along `PATH`.
    package var program: String
    /// Without the program's own name.
    package var arguments: [String]
    /// Added to, or taking the place of, what this process has.
    package var environment: [String: String]
    /// Where it starts; nil for where this process is.
    package var directory: String?
    package var output: Output
    package var errors: Output

    package init(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:], directory: String? = nil,
        output: Output = .nowhere, errors: Output = .nowhere
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.directory = directory
        self.output = output
        self.errors = errors
    }
}
