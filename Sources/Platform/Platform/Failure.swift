/// An error as a sentence for the person who must act: what happened, to what, what is safe, what to do next.
///
/// One type serves the whole house so that every floor speaks the same codes and every program maps them to the
/// same exit codes. Tests compare `code`; people read `description`. A failure never carries a secret.
package struct Failure: Error, Sendable, CustomStringConvertible {
    /// What callers branch on. The raw value is stable: it is printed in JSON and sent over the wire.
    package enum Code: String, Sendable, Codable, CaseIterable {
        /// The request itself makes no sense.
        case usage
        /// Understood, and not allowed: a wrong key, a rule of the log, a roll-back, a missing right.
        case refused
        /// A store does not do what a vault wants of it, whatever object is asked for: nothing is said of any.
        case unsuited
        /// The thing named does not exist.
        case notFound
        /// Put-if-absent found the name taken.
        case exists
        /// Some of it was done; what was not is listed.
        case partial
        /// Bytes are not what they were when written.
        case damaged
        /// The store or disk has no room.
        case full
        /// The other side did not answer; trying again may help.
        case unreachable
        /// Whether it happened is not known; it must be settled by reading.
        case unknownOutcome
        /// The work was asked to stop.
        case cancelled
        /// It was tried and did not work.
        case failed

        /// The exit code of a program that ends with this failure.
        package var exitCode: Int32 {
            switch self {
            case .usage: 2
            case .refused, .unsuited: 3
            case .notFound: 4
            case .partial: 5
            case .exists, .damaged, .full, .unknownOutcome, .cancelled, .failed: 6
            case .unreachable: 7
            }
        }
    }

    package var code: Code
    /// What happened, and to what: a sentence without a full stop.
    package var what: String
    /// What is safe and what to do next; empty when there is nothing to add.
    package var advice: String
    package var cause: (any Error)?

    package init(_ code: Code, _ what: String, advice: String = "", cause: (any Error)? = nil) {
        self.code = code
        self.what = what
        self.advice = advice
        self.cause = cause
    }

    package var description: String {
        Self.text(cause.map { "\(what): \($0)" } ?? what, then: advice)
    }

    /// Sentences after each other, whether or not the first ends with its full stop, as what a cause says does.
    private static func text(_ first: String, then second: String) -> String {
        if first.isEmpty || second.isEmpty { return first + second }
        return first + (first.hasSuffix(".") ? " " : ". ") + second
    }

    /// The same failure with more advice: `more` are sentences, after those that are there.
    package func advising(_ more: String) -> Failure {
        Failure(code, what, advice: Self.text(advice, then: more), cause: cause)
    }

    /// The same failure, seen from one floor up: `context` says what was being done.
    package func during(_ context: String) -> Failure {
        Failure(code, "\(context): \(what)", advice: advice, cause: cause)
    }
}

extension Failure: Equatable {
    /// Equality is by code: words may change, codes may not.
    package static func == (left: Failure, right: Failure) -> Bool { left.code == right.code }
}
