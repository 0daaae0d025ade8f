import Platform
import Testing
import Wire

@Suite struct ProblemTests {
    @Test(arguments: Failure.Code.allCases)
    func everyCodeComesBackAsItWasSent(code: Failure.Code) throws {
        let sent = Problem(Failure(code, "what", advice: "advice"))
        let arrived = Problem.failure(status: sent.status, body: try sent.bytes(), from: "there")
        #expect(arrived.code == code)
        #expect(arrived.what == "what")
        #expect(arrived.advice == "advice")
        #expect((400..<600).contains(sent.status))
    }

    @Test func anAnswerWithoutProblemDetailsIsToldByItsStatus() {
        #expect(Problem.failure(status: 404, body: Array("<html>".utf8), from: "there").code == .notFound)
        #expect(Problem.failure(status: 418, body: [], from: "there").code == .failed)
    }
}

@Suite struct RetryTests {
    @Test func onlyTheUnreachableIsTriedAgain() {
        let surroundings = Surroundings(
            now: { Timestamp(nanoseconds: 0) }, uptime: { 0 }, random: { Array(repeating: 0, count: $0) },
            pause: { _ in })
        let retry = Retry(attempts: 3, surroundings: surroundings)
        var calls = 0
        #expect(throws: Failure(.unreachable, "")) {
            try retry.runBlocking { () throws(Failure) in
                calls += 1
                throw Failure(.unreachable, "")
            }
        }
        #expect(calls == 3)
        #expect(throws: Failure(.refused, "")) {
            try retry.runBlocking { () throws(Failure) in
                calls += 1
                throw Failure(.refused, "")
            }
        }
        #expect(calls == 4)
    }

    @Test func waitsGrowAndStayBounded() {
        let surroundings = Surroundings(
            now: { Timestamp(nanoseconds: 0) }, uptime: { 0 }, random: { Array(repeating: 255, count: $0) },
            pause: { _ in })
        var backoff = Backoff(first: 100, longest: 1000, surroundings: surroundings)
        let waits = (0..<80).map { _ in backoff.next() }
        #expect(waits.prefix(5) == [100, 200, 400, 800, 1000])
        #expect(waits.allSatisfy { $0 <= 1000 })
    }
}

@Suite struct PrivateFileTests {
    @Test func aPathOfAServerIsReadAsWritten() throws {
        #expect(try ServerAddress("https://[::1]:8443/").description == "https://[::1]:8443")
        #expect(try ServerAddress(hostAndPort: "127.0.0.1:0").port == 0)
    }

    @Test(arguments: ["http://a:1", "https://a", "https://a:99999", "https://a b:1", "https://a:1/x", "https://:1"])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(throws: Failure(.usage, "")) { try ServerAddress(text) }
    }
}
