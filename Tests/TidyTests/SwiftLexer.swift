/// Cuts Swift source into tokens, well enough to judge style by: strings (also raw and of many lines), nested comments
/// and interpolations are told from code. A slash is an operator, so regular expressions are to be written `#/like this/#`
/// or with `Regex`.
struct SwiftLexer {
    private let characters: [Character]
    private var position = 0
    private var line = 1
    private var touching = false
    private var tokens: [SwiftToken] = []

    static func tokens(of source: String) -> [SwiftToken] {
        var lexer = SwiftLexer(characters: Array(source))
        lexer.readCode(untilClosingParenthesis: false)
        return lexer.tokens
    }

    private init(characters: [Character]) { self.characters = characters }

    // MARK: - Code

    private mutating func readCode(untilClosingParenthesis: Bool) {
        var depth = 0
        while let character = peek() {
            if character.isWhitespace {
                advance()
                touching = false
            } else if starts(with: "//") {
                while let next = peek(), !next.isNewline { skip(next) }
                touching = false
            } else if starts(with: "/*") {
                skipComment()
                touching = false
            } else if character == "\"" || rawStringStarts() {
                readString()
            } else if starts(with: "#/") {
                readRegularExpression()
            } else if character.isLetter || character == "_" || character == "$" || character == "`" {
                readWord()
            } else if character.isNumber {
                readNumber()
            } else if Self.operators.contains(character) {
                append(.mark, take { Self.operators.contains($0) })
            } else {
                if character == "(" { depth += 1 }
                if character == ")" {
                    depth -= 1
                    if untilClosingParenthesis, depth < 0 {
                        advance()
                        return
                    }
                }
                append(.bracket, String(character))
                advance()
            }
        }
    }

    private static let operators = Set<Character>("/=-+!*%<>&|^~?.")

    private mutating func readWord() {
        let quoted = peek() == "`"
        if quoted { advance() }
        let word = take { quoted ? $0 != "`" : $0.isLetter || $0.isNumber || $0 == "_" || $0 == "$" }
        append(.word, word)
        if quoted, peek() == "`" { advance() }
    }

    private mutating func readNumber() {
        append(.number, take { $0.isLetter || $0.isNumber || $0 == "_" })
    }

    private mutating func skipComment() {
        var depth = 0
        repeat {
            if starts(with: "/*") {
                depth += 1
                advance(2)
            } else if starts(with: "*/") {
                depth -= 1
                advance(2)
            } else {
                advance()
            }
        } while depth > 0 && peek() != nil
    }

    // MARK: - Strings

    private func rawStringStarts() -> Bool {
        var offset = 0
        while peek(offset) == "#" { offset += 1 }
        return offset > 0 && peek(offset) == "\""
    }

    private mutating func readString() {
        let first = tokens.count
        append(.string, "")
        let hashes = take { $0 == "#" }
        let quotes = starts(with: "\"\"\"") ? "\"\"\"" : "\""
        advance(quotes.count)
        var text = ""
        while let character = peek(), !starts(with: quotes + hashes) {
            if starts(with: "\\" + hashes + "(") {
                advance(2 + hashes.count)
                touching = false
                readCode(untilClosingParenthesis: true)
            } else if starts(with: "\\" + hashes) {
                advance(1 + hashes.count)
                if let escaped = peek() {
                    text.append(escaped)
                    advance()
                }
            } else if character.isNewline, quotes.count == 1 {
                break
            } else {
                text.append(character)
                advance()
            }
        }
        advance(quotes.count + hashes.count)
        tokens[first].text = text
        touching = true
    }

    private mutating func readRegularExpression() {
        append(.string, "")
        advance(2)
        while peek() != nil, !starts(with: "/#") { advance() }
        advance(2)
        touching = true
    }

    // MARK: - Characters

    private func peek(_ offset: Int = 0) -> Character? {
        position + offset < characters.count ? characters[position + offset] : nil
    }

    private func starts(with text: String) -> Bool {
        var offset = 0
        for character in text {
            guard peek(offset) == character else { return false }
            offset += 1
        }
        return true
    }

    private mutating func advance(_ count: Int = 1) {
        for _ in 0..<count {
            guard let character = peek() else { return }
            skip(character)
        }
    }

    private mutating func skip(_ character: Character) {
        if character.isNewline { line += 1 }
        position += 1
    }

    private mutating func take(while belongs: (Character) -> Bool) -> String {
        var taken = ""
        while let character = peek(), belongs(character) {
            taken.append(character)
            skip(character)
        }
        return taken
    }

    private mutating func append(_ kind: SwiftToken.Kind, _ text: String) {
        tokens.append(SwiftToken(kind: kind, text: text, line: line, touchesPrevious: touching))
        touching = true
    }
}
