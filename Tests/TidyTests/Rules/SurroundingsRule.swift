/// Time, randomness and ids come in from outside, so that a test or a simulation can give its own.
enum SurroundingsRule {
    static func findings(in file: SourceFile) -> [Finding] {
        guard file.path.hasPrefix("Sources/"), !file.path.hasPrefix("Sources/Programs/"),
            !file.path.hasPrefix("Sources/Platform/")
        else { return [] }
        let tokens = file.tokens
        return tokens.indices.compactMap { index in
            func text(_ offset: Int) -> String { index + offset < tokens.count ? tokens[index + offset].text : "" }
            guard tokens[index].kind == .word else { return nil }
            let fetched: Bool
            switch tokens[index].text {
            case "Date", "UUID": fetched = text(1) == "(" && text(2) == ")" || text(1) == "." && text(2) == "now"
            case "SystemRandomNumberGenerator": fetched = true
            default: fetched = false
            }
            guard fetched else { return nil }
            return Finding(
                path: file.path, line: tokens[index].line,
                what: "\(tokens[index].text) is fetched here: take it from Surroundings")
        }
    }
}
