package import Platform

/// One conversation with the agent inside the guest, which is as hostile as the guest. Everything it says is bounded
/// and nothing it says is trusted further than "it answered".
package final class GuestAgent {
    private let lines: LineSocket
    private static let delimiter: UInt8 = 0xFF

    /// Connects and synchronises: what an earlier conversation left in the line is skipped up to a mark only this one
    /// can have asked for.
    /// - Throws: `.unreachable` when no agent answers in time.
    package init(_ socket: StreamSocket, mark: Int64, by deadline: Deadline) throws(Failure) {
        lines = LineSocket(socket)
        let request: JSONValue = ["execute": "guest-sync-delimited", "arguments": ["id": .integer(mark)]]
        // The delimiter makes the agent forget half a command.
        try lines.send([Self.delimiter] + Array((request.text + "\n").utf8), by: deadline)
        while true {
            try lines.skip(past: Self.delimiter, by: deadline)
            guard let line = try lines.next(by: deadline) else { throw Failure(.unreachable, "The agent hung up") }
            // An answer to an older request may be anything.
            if let value = try? JSONParser.parse(line), value["return"]?.integer == mark { return }
        }
    }

    /// - Throws: `.refused` with the agent's own reason, `.unreachable`, `.damaged`.
    @discardableResult
    package func perform(_ command: String, _ arguments: [String: JSONValue] = [:], by deadline: Deadline)
        throws(Failure)
        -> JSONValue
    {
        try tell(command, arguments, by: deadline)
        guard let line = try lines.next(by: deadline) else { throw Failure(.unreachable, "The agent hung up") }
        let value = try JSONParser.parse(line)
        if let result = value["return"] { return result }
        throw Failure(.refused, "The agent refused \(command): \(value["error"]?["desc"]?.string ?? "no reason given")")
    }

    /// For commands whose success has no answer.
    package func tell(_ command: String, _ arguments: [String: JSONValue] = [:], by deadline: Deadline) throws(Failure)
    {
        var message: [String: JSONValue] = ["execute": .string(command)]
        if !arguments.isEmpty { message["arguments"] = .object(arguments) }
        try lines.send(Array((JSONValue.object(message).text + "\n").utf8), by: deadline)
    }
}
