import Browse
import Platform
import Testing

/// Patterns for names, which are bytes.
@Suite struct GlobTests {
    @Test(arguments: [
        ("*", "anything", true), ("*", "", true), ("a", "a", true), ("a", "ab", false), ("a*", "abc", true),
        ("*.docx", "報告.docx", true), ("*.docx", "報告.docx.bak", false), ("?", "港", true), ("??", "港", false),
        ("[a-c]x", "bx", true), ("[!a-c]x", "bx", false), ("[^a-c]x", "dx", true), ("[一-龥]*", "港口", true),
        ("[]]", "]", true), ("[a", "[a", true), ("\\*", "*", true), ("\\*", "x", false), ("[a-]", "-", true),
        (".*", ".hidden", true), ("*", ".hidden", true), ("*a*b*c*", "xxaxxbxxc", true),
        ("*a*b*c*", "xxaxxcxxb", false),
        ("**", "x", true), ("a?c", "a\nc", true),
    ])
    func aPatternMatchesAsInAShell(pattern: String, name: String, isMatch: Bool) throws {
        #expect(try Glob(Array(pattern.utf8)).matches(Array(name.utf8)) == isMatch)
    }

    @Test func bytesThatAreNoTextAreCharactersOfTheirOwn() throws {
        #expect(try Glob(Array("?".utf8)).matches([0xFF]))
        #expect(try Glob([0xFF, UInt8(ascii: "*")]).matches([0xFF, 0xFE, 0x80]))
        #expect(try !Glob([0xFF]).matches([0xFE]))
        // Surrogates are no characters of UTF-8.
        #expect(try Glob(Array("???".utf8)).matches([0xED, 0xA0, 0x80]))
    }

    @Test func aPatternThatNoNameCanMatchIsRefused() {
        #expect(throws: Failure(.usage, "")) { try Glob([]) }
        #expect(throws: Failure(.usage, "")) { try Glob(Array("a/b".utf8)) }
    }

    @Test func aMeanPatternTakesNoTimeToSpeakOf() throws {
        let glob = try Glob(Array(String(repeating: "a*", count: 100).utf8) + Array("b".utf8))
        #expect(!glob.matches(Array(repeating: UInt8(ascii: "a"), count: 255)))
    }
}
