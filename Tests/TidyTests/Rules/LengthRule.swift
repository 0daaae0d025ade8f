/// A file is one type and fits a head: past 500 lines it says at its top why it does not.
enum LengthRule {
    static let limit = 500
    static let reason = "// Long because: "

    static func findings(in file: SourceFile) -> [Finding] {
        guard [".swift", ".c", ".h"].contains(where: file.path.hasSuffix) else { return [] }
        let count = file.lines.count - (file.lines.last == "" ? 1 : 0)
        guard count > limit, !file.lines.prefix(5).contains(where: { $0.hasPrefix(reason) && $0.count > reason.count })
        else { return [] }
        return [
            Finding(path: file.path, line: 1, what: "\(count) lines: split it, or begin it with \"\(reason)...\"")
        ]
    }
}
