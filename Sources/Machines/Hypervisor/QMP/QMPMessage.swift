package import Platform

/// What a monitor says, sorted; anything else is refused.
package enum QMPMessage: Equatable {
    package struct Event: Sendable, Equatable {
        package var name: String
        package var data: JSONValue
    }

    case greeting(version: String)
    case reply(identifier: Int64, JSONValue)
    /// The identifier is missing when the monitor could not even read the command.
    case refusal(identifier: Int64?, kind: String, reason: String)
    case event(Event)

    package init(_ line: [UInt8]) throws(Failure) {
        let value = try JSONParser.parse(line)
        if let name = value["event"]?.string {
            self = .event(Event(name: name, data: value["data"] ?? .null))
        } else if let problem = value["error"] {
            self = .refusal(
                identifier: value["id"]?.integer, kind: problem["class"]?.string ?? "GenericError",
                reason: problem["desc"]?.string ?? "no reason given")
        } else if let result = value["return"], let identifier = value["id"]?.integer {
            self = .reply(identifier: identifier, result)
        } else if let monitor = value["QMP"], monitor["capabilities"]?.array != nil {
            let numbers = ["major", "minor", "micro"].map { monitor["version"]?["qemu"]?[$0]?.integer ?? 0 }
            self = .greeting(version: numbers.map { String($0) }.joined(separator: "."))
        } else {
            throw Failure(.damaged, "The monitor sent a message that is neither reply nor event")
        }
    }
}
