package import Platform

/// A `Failure` as it is kept and sent, with the agent's word whether another try may help.
package struct WorkFailure: Hashable, Sendable, Codable, Checked {
    package var code: Failure.Code
    package var what: String
    package var advice: String
    package var retry: Bool

    /// Long words are cut, so that a report about a failure is never itself refused for its length.
    package init(_ failure: Failure, retry: Bool) {
        code = failure.code
        what = Self.cut(failure.cause.map { "\(failure.what): \($0)" } ?? failure.what)
        advice = Self.cut(failure.advice)
        self.retry = retry
    }

    package var failure: Failure { Failure(code, what, advice: advice) }

    package func check() throws(Failure) {
        guard what.utf8.count <= Bounds.words, advice.utf8.count <= Bounds.words else {
            throw Failure(.usage, "A failure is told in more than \(Bounds.words) bytes")
        }
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > Bounds.words else { return text }
        return String(decoding: text.utf8.prefix(Bounds.words - 16), as: UTF8.self) + " ..."
    }
}
