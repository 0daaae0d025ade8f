import FuzzTargets
import Glibc
import Platform
import Testing

/// What the fuzzer found once it finds no more: every file of the corpus goes through its target.
struct CorpusTests {
    private static let root = String(#filePath.dropLast("Tests/FuzzTests/CorpusTests.swift".count)) + "Fixtures/fuzz"

    private func files(_ folder: String) throws -> [[UInt8]] {
        let directory = try Directory(at: Array(folder.utf8))
        return try directory.entries().map { entry in
            let file = try Descriptor.open(Array(folder.utf8) + [UInt8(ascii: "/")] + entry.name, O_RDONLY)
            return try file.readSome(limit: FuzzTarget.longest)
        }
    }

    @Test(arguments: FuzzTarget.all.map(\.name)) func theCorpusOfATargetIsTaken(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let corpus = try files("\(Self.root)/\(name)")
        #expect(!corpus.isEmpty)
        for bytes in corpus + [[]] {
            target.run(bytes)
            // Cut off and with a byte turned: most of a fuzzer's first steps.
            for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 16)) {
                var hurt = bytes
                hurt[place] ^= 0x41
                target.run(hurt)
                target.run(Array(bytes[..<place]))
            }
        }
    }
}
