/// A file of the project, as the rules see it.
struct SourceFile {
    /// From the root of the project, with slashes.
    let path: String
    let lines: [Substring]
    /// Of Swift files only.
    let tokens: [SwiftToken]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        tokens = path.hasSuffix(".swift") ? SwiftLexer.tokens(of: text) : []
    }

    var components: [Substring] { path.split(separator: "/") }

    /// Under `Tests/`, where doubles may do what products may not.
    var isTest: Bool { path.hasPrefix("Tests/") }
}

/// Something that a rule objects to, in words for the person who must mend it.
struct Finding: Equatable, CustomStringConvertible {
    var path: String
    var line: Int
    var what: String

    var description: String { "\(path):\(line): \(what)" }
}
