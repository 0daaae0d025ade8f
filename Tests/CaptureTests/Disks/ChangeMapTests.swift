import Capture
import Platform
import Repository
import Support
import Testing

/// What a change map may say, and what it may not leave open.
@Suite struct ChangeMapTests {
    private func map(_ json: String, size: UInt64 = 1 << 20) throws -> [Range<UInt64>] {
        try ChangeMap(json: Array(json.utf8), size: size).changed
    }

    @Test func bothWaysOfSayingItAreRead() throws {
        let own =
            #"[{"start": 0, "length": 70000, "dirty": false}, {"start":70000,"length":1,"dirty":true},"#
            + #"{"start":70001,"length":978575,"dirty":false}]"#
        #expect(try map(own) == [65536..<131072])
        let nbdinfo = """
            [
            { "offset": 0, "length": 131072, "type": 0, "description": "clean"},
            { "offset": 131072, "length": 917504, "type": 1, "description": "dirty"}
            ]
            """
        #expect(try map(nbdinfo) == [131072..<1_048_576])
        #expect(try map("[]", size: 0).isEmpty)
    }

    @Test func stretchesAreOfWholeBlocksAndApart() throws {
        let marks = (0..<64).map {
            #"{"start":\#($0 * 16384),"length":16384,"dirty":\#([3, 8, 9, 11, 63].contains($0))}"#
        }
        #expect(try map("[" + marks.joined(separator: ",") + "]") == [0..<65536, 131072..<196608, 983040..<1_048_576])
        // The disk's last block is shorter.
        #expect(
            try map(
                #"[{"start":0,"length":65536,"dirty":false},{"start":65536,"length":10,"dirty":true}]"#, size: 65546)
                == [65536..<65546])
    }

    @Test(arguments: [
        "", "{}", "[", "[1]", "[{}]", "[]", #"[{"start":0,"length":1048576}]"#, #"[{"start":0,"dirty":true}]"#,
        // As qemu-img prints them: what `data` means depends on what was asked.
        #"[{"start":0,"length":1048576,"depth":0,"present":true,"zero":false,"data":true,"offset":0}]"#,
        // What nbdinfo prints of another context.
        #"[{"offset":0,"length":1048576,"type":0,"description":"data"}]"#,
        #"[{"offset":0,"length":1048576,"type":3,"description":"hole,zero"}]"#,
        // Contradicting itself.
        #"[{"start":0,"length":1048576,"dirty":true,"dirty":false}]"#,
        #"[{"offset":0,"length":1048576,"type":2,"description":"clean"}]"#,
        #"[{"start":0,"length":1048576,"dirty":false,"description":"dirty"}]"#,
        // Cut off; too long; with a gap; overlapping; going back; negative; past everything.
        #"[{"start":0,"length":1048575,"dirty":true}]"#, #"[{"start":0,"length":1048577,"dirty":true}]"#,
        #"[{"start":0,"length":65536,"dirty":true},{"start":131072,"length":917504,"dirty":true}]"#,
        #"[{"start":0,"length":65536,"dirty":true},{"start":65535,"length":983041,"dirty":true}]"#,
        #"[{"start":65536,"length":983040,"dirty":true},{"start":0,"length":65536,"dirty":true}]"#,
        #"[{"start":-1,"length":1048577,"dirty":true}]"#, #"[{"start":0,"length":-1,"dirty":true}]"#,
        #"[{"start":0,"length":9223372036854775807,"dirty":true}]"#, #"[{"start":0,"length":1e6,"dirty":true}]"#,
        #"[{"start":0,"length":1048576,"dirty":"yes"}]"#, #"[{"start":0,"length":1048576,"dirty":true}] 1"#,
    ])
    func aMapThatLeavesSomethingOpenTellsNothing(json: String) {
        #expect(throws: Failure(.damaged, "")) { try map(json) }
    }
}
