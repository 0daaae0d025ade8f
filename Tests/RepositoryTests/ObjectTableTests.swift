import Platform
import Repository
import Sealing
import Support
import Testing

/// The table of the log's objects against a plain dictionary.
struct ObjectTableTests {
    @Test(arguments: 0..<4 as Range<UInt64>)
    func anyChangesSayWhatADictionarySays(number: UInt64) {
        var seed = Seed(number)
        var table = ObjectTable()
        var model: [ObjectName: LogState.Holding] = [:]
        var wrong: [Int] = []
        for step in 0..<20_000 {
            let digest = Digest(words: (UInt64(seed.below(3000)), 0, 0, 1))
            let session = SessionID(truncating: Digest(words: (UInt64(seed.below(3)), 0, 0, 0)))
            let kind: ObjectKind = seed.below(2) == 0 ? .pack : .segment
            let name = ObjectName(kind: kind, digest: digest, session: session)
            switch seed.below(4) {
            case 0:
                table[name] = nil
                model[name] = nil
            case 1:
                table[name]?.status = .damaged
                model[name]?.status = .damaged
            default:
                let held = LogState.Holding(
                    length: UInt64(step), since: seed.next(), status: .live, changed: seed.next())
                table[name] = held
                model[name] = held
            }
            if table[name] != model[name] { wrong.append(step) }
            if step % 997 == 0 {
                let here = model.keys.filter { $0.digest == digest }.sorted()
                #expect(table.names(of: digest) == here)
            }
        }
        #expect(wrong == [])
        #expect(table.count == model.count)
        #expect(Dictionary(uniqueKeysWithValues: table.map { ($0.key, $0.value) }) == model)
        // Equal, however it came about.
        var other = ObjectTable()
        for (name, held) in model { other[name] = held }
        #expect(other == table)
        if let name = model.keys.first { other[name] = nil }
        #expect(other != table)
    }
}
