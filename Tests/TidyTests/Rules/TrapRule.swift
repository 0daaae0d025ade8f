/// Bytes from disk, network, guests and people never end the program: no `try!`, no `as!`, no forced unwrap and, outside
/// tests, no `fatalError`.
enum TrapRule {
    static func findings(in file: SourceFile) -> [Finding] {
        file.tokens.indices.compactMap { index in
            let token = file.tokens[index]
            if token.kind == .word, token.text == "fatalError", !file.isTest {
                return Finding(
                    path: file.path, line: token.line, what: "fatalError: throw a Failure that says what to do")
            }
            guard token.kind == .mark, token.touchesPrevious, index > 0 else { return nil }
            if token.text.hasSuffix(">!") || token.text.hasSuffix("?!") {
                return Finding(path: file.path, line: token.line, what: "an implicitly unwrapped type: say ?, or throw")
            }
            guard token.text.hasPrefix("!") else { return nil }
            guard !token.text.hasPrefix("!=") else { return nil }
            let previous = file.tokens[index - 1]
            switch previous.kind {
            case .word where previous.text == "try" || previous.text == "as":
                return Finding(
                    path: file.path, line: token.line, what: "\(previous.text)!: handle the error, or throw it")
            case .word, .number, .string:
                return Finding(path: file.path, line: token.line, what: "forced unwrap: use guard let, and throw")
            case .bracket where [")", "]", "}"].contains(previous.text):
                return Finding(path: file.path, line: token.line, what: "forced unwrap: use guard let, and throw")
            case .bracket, .mark: return nil
            }
        }
    }
}
