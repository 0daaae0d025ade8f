/// A word, number, operator, bracket or string of Swift source. Comments and white space are no tokens.
struct SwiftToken: Equatable {
    enum Kind {
        /// An identifier or a keyword, without its backticks.
        case word
        case number
        /// A run of operator characters.
        case mark
        /// One bracket, comma, colon, semicolon, `@` or `#`.
        case bracket
        /// The characters of a literal without interpolation; the code of an interpolation follows as tokens.
        case string
    }

    var kind: Kind
    var text: String
    /// Counted from 1.
    var line: Int
    /// No white space and no comment stands between this token and the one before.
    var touchesPrevious: Bool
}
