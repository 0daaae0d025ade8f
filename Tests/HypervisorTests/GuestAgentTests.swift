import Hypervisor
import Platform
import Support
import Testing

@Suite struct GuestAgentTests {
    @Test func `what an earlier conversation left is skipped`() throws {
        let peer = try FakePeer { socket in
            _ = try socket.hear()
            try socket.say("{\"return\": {\"old\": 1}}\n")
            try socket.send([0xFF] + Array("{\"return\": 41}\n".utf8), by: .after(.seconds(20)))
            try socket.send([0xFF] + Array("{\"return\": 42}\n".utf8), by: .after(.seconds(20)))
            _ = try socket.hear()
            try socket.say("{\"return\": {\"version\": \"7.2\"}}\n")
            _ = try socket.hear()
            try socket.say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n")
        }
        let agent = try GuestAgent(peer.client, mark: 42, by: .after(.seconds(20)))
        #expect(try agent.perform("guest-info", by: .after(.seconds(20)))["version"] == "7.2")
        #expect(throws: Failure(.refused, "")) { try agent.perform("guest-exec", by: .after(.seconds(20))) }
    }

    @Test func `an agent that never answers the mark is no agent`() throws {
        let flood = try FakePeer { socket in
            while true { try socket.send([0xFF] + Array("{\"return\": 1}\n".utf8), by: .after(.seconds(20))) }
        }
        #expect(throws: Failure(.unreachable, "")) {
            try GuestAgent(flood.client, mark: 2, by: .after(.milliseconds(100)))
        }
        let gone = try FakePeer { _ in }
        #expect(throws: Failure(.unreachable, "")) { try GuestAgent(gone.client, mark: 2, by: .after(.seconds(20))) }
    }

    @Test func `an endless line is cut off`() throws {
        let peer = try FakePeer { socket in
            try socket.send([0xFF], by: .after(.seconds(20)))
            while true { try socket.say(String(repeating: "9", count: 65536)) }
        }
        #expect(throws: Failure(.damaged, "")) { try GuestAgent(peer.client, mark: 2, by: .after(.seconds(20))) }
    }
}
