import Platform
import Testing

struct CountedTests {
    @Test func aNumberGoesWithItsNoun() {
        #expect(0.counted("file is", "files are") == "0 files are")
        #expect(UInt64(1).counted("file is", "files are") == "1 file is")
        #expect(2.counted("file is", "files are") == "2 files are")
    }
}
