import Hypervisor
import Platform
import Support
import Testing

@Suite struct QMPClientTests {
    /// A monitor that greets, accepts the capabilities and then answers each line with what `answer` makes of it.
    private func monitor(_ answer: @escaping @Sendable (_ identifier: Int64) -> String) throws -> FakePeer {
        try FakePeer { socket in
            try socket.say(FakePeer.greeting)
            _ = try socket.hear()
            try socket.say(#"{"return": {}, "id": 1}"# + "\n")
            while true {
                let command = try JSONParser.parse(try socket.hear().utf8)
                try socket.say(answer(command["id"]?.integer ?? 0))
            }
        }
    }

    @Test func `a command gets its own answer, events on the way are kept`() throws {
        let peer = try monitor { identifier in
            """
            {"event": "STOP", "data": {"n": \(identifier)}, "timestamp": {"seconds": 1}}
            {"return": {"status": "running"}, "id": \(identifier)}

            """
        }
        let client = try QMPClient(peer.client, within: .seconds(20))
        #expect(client.version == "7.2.22")
        #expect(try client.perform("query-status")["status"] == "running")
        let events = client.takeEvents().events
        #expect(events.map(\.name) == ["STOP"] && events.first?.data == ["n": 2])
        #expect(client.takeEvents().events.isEmpty)
    }

    @Test func `a refusal carries QEMU's reason, and the next command goes on`() throws {
        let peer = try monitor { identifier in
            identifier == 2
                ? #"{"id": 2, "error": {"class": "GenericError", "desc": "Node 'x' not found"}}"# + "\n"
                : #"{"return": 5, "id": \#(identifier)}"# + "\n"
        }
        let client = try QMPClient(peer.client, within: .seconds(20))
        do {
            try client.perform("blockdev-del")
            Issue.record("it was not refused")
        } catch {
            #expect(error.code == .refused && error.what.contains("Node 'x' not found"))
        }
        #expect(try client.perform("query-status") == 5)
    }

    @Test(arguments: [
        #"{"return": {}, "id": 99}"#, #"{"return": {}}"#, #"{"error": {}, "id": 99}"#, "{}", "[]", "hello", "\u{0}",
        #"{"QMP": {"capabilities": []}}"#, String(repeating: "[", count: 100_000),
    ])
    func `an answer that belongs to nobody breaks the connection, not us`(answer: String) throws {
        let peer = try monitor { _ in answer + "\n" }
        let client = try QMPClient(peer.client, within: .seconds(20))
        #expect(throws: Failure(.damaged, "")) { try client.perform("query-status") }
        #expect(throws: Failure(.unreachable, "")) { try client.perform("query-status") }
    }

    @Test func `a line without an end is cut off`() throws {
        let peer = try monitor { _ in String(repeating: "x", count: LineSocket.longest + 70_000) }
        let client = try QMPClient(peer.client, within: .seconds(20))
        #expect(throws: Failure(.damaged, "")) { try client.perform("query-status") }
    }

    @Test func `a silent monitor ends in a deadline, a gone one at once`() throws {
        let silent = try monitor { _ in "" }
        let client = try QMPClient(silent.client, within: .seconds(20))
        #expect(throws: Failure(.unreachable, "")) { try client.perform("quit", within: .milliseconds(30)) }

        let gone = try FakePeer { try $0.say(FakePeer.greeting) }
        #expect(throws: Failure(.unreachable, "")) { try QMPClient(gone.client, within: .seconds(20)) }
        let mute = try FakePeer { _ in }
        #expect(throws: Failure(.unreachable, "")) { try QMPClient(mute.client, within: .seconds(20)) }
        let rude = try FakePeer { try $0.say("{\"return\": {}, \"id\": 1}\n") }
        #expect(throws: Failure(.damaged, "")) { try QMPClient(rude.client, within: .seconds(20)) }
    }

    @Test func `a flood of events is bounded`() throws {
        let peer = try monitor { identifier in
            (0..<1000).map { "{\"event\": \"RTC_CHANGE\", \"data\": {\"n\": \($0)}}\n" }.joined()
                + "{\"return\": {}, \"id\": \(identifier)}\n"
        }
        let client = try QMPClient(peer.client, within: .seconds(20))
        try client.perform("query-status")
        let (events, dropped) = client.takeEvents()
        #expect(events.count == QMPClient.mostEvents && dropped == 1000 - QMPClient.mostEvents)
        #expect(events.last?.data["n"] == 999)
    }

    @Test func `events without end do not hold a command past its deadline`() throws {
        let peer = try monitor { _ in
            String(repeating: "{\"event\": \"RTC_CHANGE\"}\n", count: 30_000)
        }
        let client = try QMPClient(peer.client, within: .seconds(20))
        #expect(throws: Failure(.unreachable, "")) { try client.perform("query-status", within: .milliseconds(60)) }
    }

    @Test func `no bytes whatever crash the client`() throws {
        for number in 0..<60 {
            let peer = try FakePeer { socket in
                var seed = Seed(UInt64(number))
                if Bool.random(using: &seed) { try socket.say(FakePeer.greeting) }
                let words = [
                    "{", "}", "\"return\"", ":", "\"id\"", "1", ",", "\"event\"", "\n", "null", "[", "\"\\ud800\"",
                ]
                for _ in 0..<200 {
                    let noise = (0..<8).map { _ in UInt8.random(in: 0...255, using: &seed) }
                    let word = words.randomElement(using: &seed) ?? ""
                    try socket.send(Bool.random(using: &seed) ? noise : Array(word.utf8), by: .after(.seconds(20)))
                }
            }
            #expect(throws: (any Error).self) { try QMPClient(peer.client, within: .seconds(20)).perform("quit") }
        }
    }
}
