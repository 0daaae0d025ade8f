import Platform
import Testing

@Suite struct JSONTests {
    @Test func `what is written is read back`() throws {
        let value: JSONValue = [
            "execute": "blockdev-add", "id": 7, "flag": true, "size": .integer(.max), "half": .number(0.5),
            "nothing": .null, "list": [1, "zwei", []], "名": "季度报告 \"quoted\" \\ \n 🚢",
        ]
        #expect(try JSONParser.parse(value.text.utf8) == value)
        #expect(value.text.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "01", "-", "1.", "1e", ".5", "nul", "truee", "\"",
        "\"\\",
        "\"\\u12", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\q\"", "\"a\u{1}b\"", "[1 2]", "{} {}", "1e999", "NaN",
        "'a'", "{\"a\":1,\"a\":2}",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: Failure(.damaged, "")) { try JSONParser.parse(text.utf8) }
    }

    @Test func `text that is no UTF-8 is refused`() {
        #expect(throws: Failure(.damaged, "")) { try JSONParser.parse([0x22, 0xC3, 0x28, 0x22]) }
    }

    @Test func `nesting is bounded, so the stack is`() throws {
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: Failure(.damaged, "")) { try JSONParser.parse(deep.utf8) }
        let fair = String(repeating: "[", count: JSONParser.deepest) + String(repeating: "]", count: JSONParser.deepest)
        _ = try JSONParser.parse(fair.utf8)
    }

    @Test func `no bytes whatever crash the parser`() {
        var seed = Dice(state: 41)
        let pieces = Array("{}[]\":,\\u0d8fe-+.1tfn \n\u{7f}".utf8)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...40, using: &seed)).map { _ in
                Bool.random(using: &seed)
                    ? pieces.randomElement(using: &seed) ?? 0 : UInt8.random(in: 0...255, using: &seed)
            }
            do { _ = try JSONParser.parse(bytes) } catch { #expect(error.code == .damaged) }
        }
    }
}

/// Randomness that a number reproduces: Knuth's MMIX, its halves mixed.
private struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 32
    }
}
