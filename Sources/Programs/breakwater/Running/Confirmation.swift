import Glibc
import Platform

extension Workbench {
    /// Asks the person at the terminal before something that cannot be taken back.
    /// - Parameters:
    ///   - isGiven: the consent was given on the command line.
    ///   - what: what is not done without it.
    /// - Throws: `.refused` when nobody is there to ask, or the answer is not `yes`.
    func confirm(_ question: String, isGiven: Bool, otherwise what: String) throws {
        if isGiven { return }
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            throw Failure(
                .refused, "\(what): nobody was there to be asked", advice: "Add --yes if that is what you mean.")
        }
        try console.flush()
        Console.write("\(Words.visible(question)) [yes/no] ", to: STDERR_FILENO)
        guard readLine() == "yes" else { throw Failure(.refused, what, advice: "Nothing was changed.") }
    }
}
