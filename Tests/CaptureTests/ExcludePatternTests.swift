import Capture
import Platform
import Support
import Testing

/// Patterns mean what gitignore(5) says they do, byte for byte, and cost what they are long.
@Suite struct ExcludePatternTests {
    /// Whether a list of patterns leaves out a path; a `/` at its end makes it a directory.
    private func leavesOut(_ patterns: [String], _ path: String) throws -> Bool {
        let list = ExcludeList(try patterns.map { try #require(ExcludePattern(Array($0.utf8)), "\($0)") })
        let parts = path.split(separator: "/").map { Array($0.utf8) }
        // A directory that is left out takes with it what is below.
        for end in 1...parts.count {
            let isDirectory = end < parts.count || path.hasSuffix("/")
            if list.verdict(parts[end - 1], below: parts[..<(end - 1)], isDirectory: isDirectory) ?? false {
                return true
            }
        }
        return false
    }

    @Test(
        arguments: [
            (["*.o"], ["a.o", "x/y/a.o", ".o", "a.o/x"], ["a.oo", "ao", "a.o.c"]),
            (["/cache"], ["cache", "cache/x", "cache/"], ["x/cache", "cached"]),
            (["var/cache"], ["var/cache", "var/cache/x"], ["x/var/cache", "cache"]),
            (["cache/"], ["cache/", "x/cache/", "x/cache/y"], ["cache", "x/cache"]),
            (["**/x"], ["x", "a/x", "a/b/x"], ["xx", "a/bx"]),
            (["a/**/b"], ["a/b", "a/x/b", "a/x/y/b"], ["ab", "a/xb", "c/a/b"]),
            (["a/**"], ["a/b", "a/b/c", "a/b/"], ["a", "a/", "b/a/c"]),
            (["**/a/**"], ["a/b", "x/a/b"], ["a", "x/a"]),
            (["a/*/c"], ["a/b/c"], ["a/c", "a/b/b/c"]),
            (["*"], ["a", "a/b", ".hidden"], []),
            (["**"], ["a", "a/b"], []),
            (["a**b"], ["ab", "axxb", "d/axb"], ["a/b"]),
            (["?.txt"], ["a.txt", "x/b.txt"], ["ab.txt", ".txt"]),
            (["[a-c]x"], ["ax", "cx"], ["dx", "x", "-x"]),
            (["[!a-c]x", "[^0-9]y"], ["dx", "zy"], ["ax", "3y"]),
            (["[]-]x", "[a-]z"], ["]x", "-x", "-z", "az"], ["ax", "bz"]),
            (["[[:digit:]_]k", "[\\]]q"], ["3k", "_k", "]q"], ["ak", "\\q"]),
            (["\\!x", "\\#y", "a\\*"], ["!x", "#y", "a*"], ["x", "ab"]),
            (["*.log", "!keep.log"], ["a.log", "x/b.log"], ["keep.log", "x/keep.log"]),
            (["!a", "a"], ["a"], []),
            (["/*", "!/keep"], ["a", "b/keep"], ["keep", "keep/x"]),
            (["build/", "!build/keep"], ["build/keep"], ["build"]),
        ] as [([String], [String], [String])])
    func aPatternLeavesOutWhatItSays(patterns: [String], out: [String], kept: [String]) throws {
        for path in out { #expect(try leavesOut(patterns, path), "\(patterns) \(path)") }
        for path in kept { #expect(try !leavesOut(patterns, path), "\(patterns) \(path)") }
    }

    @Test func whatIsNoPatternIsRefused() {
        for text in ["", "/", "!", "//", "[a", "a\\", "[[:nothing:]]", "a/[", "[a-"] {
            #expect(ExcludePattern(Array(text.utf8)) == nil, "\(text)")
        }
        #expect(ExcludePattern([UInt8](repeating: 97, count: ExcludePattern.longest + 1)) == nil)
    }

    @Test func namesThatAreNoTextAreMatchedAsBytes() throws {
        let list = ExcludeList([try #require(ExcludePattern([0xFF, 0x2A])), try #require(ExcludePattern([0x3F]))])
        #expect(list.verdict([0xFF, 0xFE], below: [], isDirectory: false) == true)
        #expect(list.verdict([0xFE, 0xFF], below: [], isDirectory: false) == nil)
        #expect(list.verdict([0x80], below: [], isDirectory: false) == true)
    }

    @Test func aFileOfPatternsIsReadLineByLine() throws {
        let text = "\u{FEFF}# said\r\n\n*.o  \r\nkept\\ \n  lead\n[bad\n!x\n"
        let list = try ExcludeList(file: Array(text.utf8))
        #expect(list.patterns.count == 4)
        #expect(list.wrongLines == [6])
        func verdict(_ name: String) -> Bool? { list.verdict(Array(name.utf8), below: [], isDirectory: false) }
        #expect(verdict("a.o") == true && verdict("kept ") == true && verdict("kept") == nil)
        #expect(verdict("  lead") == true && verdict("x") == false && verdict("# said") == nil)
        #expect(throws: Failure(.refused, "")) { try ExcludeList(file: [UInt8](repeating: 10, count: 1 << 20 + 1)) }
        let many = [UInt8]((0...ExcludeList.most).flatMap { _ in Array("a\n".utf8) })
        #expect(throws: Failure(.refused, "")) { try ExcludeList(file: many) }
    }

    @Test func aPatternMadeToExplodeDoesNot() throws {
        // Each of these takes a matcher that tries every way longer than the world lasts.
        let stars = String(repeating: "*a", count: 120) + "b"
        let name = String(repeating: "a", count: 255)
        #expect(try !leavesOut([stars], name))
        let deep = String(repeating: "**/a/", count: 120) + "b"
        #expect(try !leavesOut([deep], String(repeating: "a/", count: 250) + "c"))
    }

    @Test(arguments: 0..<20) func matchingAgreesWithTryingEverything(seed: UInt64) throws {
        func tries(_ pattern: ArraySlice<UInt8>, _ name: ArraySlice<UInt8>) -> Bool {
            guard let first = pattern.first else { return name.isEmpty }
            if first == UInt8(ascii: "*") {
                return (0...name.count).contains { tries(pattern.dropFirst(), name.dropFirst($0)) }
            }
            guard let byte = name.first, first == UInt8(ascii: "?") || first == byte else { return false }
            return tries(pattern.dropFirst(), name.dropFirst())
        }
        var seed = Seed(seed)
        var hits = 0
        for _ in 0..<500 {
            let pattern = (0..<(1 + seed.below(7))).map { _ in Array("ab*?".utf8)[seed.below(4)] }
            let name = (0..<(1 + seed.below(8))).map { _ in Array("ab".utf8)[seed.below(2)] }
            let list = ExcludeList([try #require(ExcludePattern(pattern))])
            let isOut = list.verdict(name, below: [], isDirectory: false) ?? false
            #expect(isOut == tries(pattern[...], name[...]), "\(pattern) \(name)")
            if isOut { hits += 1 }
        }
        #expect(hits > 20 && hits < 480)
    }
}
