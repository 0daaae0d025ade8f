import Glibc
import Logging
import Platform
import Testing

@Suite struct JSONLinesTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999_000_000, "2100-02-28T23:59:59.999Z"),
            (1_795_226_891_123_456_789, "2026-11-21T02:08:11.123Z"),
            (-11_676_096_000_000_000, "1969-08-18T20:38:24.000Z"),
        ] as [(Int64, String)]) func timesAreWrittenInUTC(_ nanoseconds: Int64, _ text: String)
    {
        #expect(Timestamp(nanoseconds: nanoseconds).utc == text)
    }

    @Test func aLineIsOneLineWhateverIsLogged() throws {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let writing = ends[1]
        let logger = Logger(label: "test") { label in
            JSONLines(label: label, level: .info, descriptor: writing) { Timestamp(nanoseconds: 0) }
        }
        logger.debug("not at this level")
        logger.info("said \"so\"\n{\"level\":\"forged\"}", metadata: ["path": "C:\\文\u{1}", "level": "mine"])
        close(writing)
        let read = try Descriptor(owning: ends[0], label: "pipe").readSome(limit: 4096)
        let expected =
            #"{"time":"1970-01-01T00:00:00.000Z","level":"info","label":"test","#
            + #""message":"said \"so\"\n{\"level\":\"forged\"}","level_":"mine","path":"C:\\文\u0001"}"# + "\n"
        #expect(String(decoding: read, as: UTF8.self) == expected)
    }
}
