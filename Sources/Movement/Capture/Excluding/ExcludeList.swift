package import Platform

/// Patterns in their order: the last that matches decides.
package struct ExcludeList: Sendable {
    package private(set) var patterns: [ExcludePattern] = []
    /// Numbers of the lines that are no pattern, and match nothing.
    package private(set) var wrongLines: [Int] = []

    /// Bytes in a file of patterns, and patterns in a list.
    package static let longestFile = 1 << 20
    package static let most = 20_000

    package init(_ patterns: [ExcludePattern] = []) { self.patterns = patterns }

    /// A file of patterns: one a line; empty lines and those that begin with `#` say nothing, spaces at the end of a line
    /// do not count unless a `\` stands before them.
    /// - Throws: `.refused` for a file that is too long.
    package init(file bytes: [UInt8]) throws(Failure) {
        guard bytes.count <= Self.longestFile else {
            throw Failure(.refused, "it is longer than \(Self.longestFile >> 20) MiB")
        }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...]
        for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            let line = Self.trimmed(line)
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            guard patterns.count < Self.most else { throw Failure(.refused, "it has more than \(Self.most) patterns") }
            if let pattern = ExcludePattern(line) { patterns.append(pattern) } else { wrongLines.append(index + 1) }
        }
    }

    private static func trimmed(_ line: ArraySlice<UInt8>) -> [UInt8] {
        var line = line
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        var end = line.startIndex
        var at = line.startIndex
        while at < line.endIndex {
            if line[at] == UInt8(ascii: "\\") {
                at = min(at + 2, line.endIndex)
                end = at
            } else {
                at += 1
                if line[at - 1] != UInt8(ascii: " ") { end = at }
            }
        }
        return Array(line[..<end])
    }

    package mutating func append(_ other: ExcludeList) { patterns += other.patterns }

    /// Whether the name is left out; nil where no pattern says anything of it.
    /// - Parameter directories: the names that lead to it from where the patterns stand.
    package func verdict(_ name: [UInt8], below directories: ArraySlice<[UInt8]>, isDirectory: Bool) -> Bool? {
        for pattern in patterns.reversed()
        where pattern.matches(name, below: directories, isDirectory: isDirectory) { return !pattern.takesBack }
        return nil
    }
}
