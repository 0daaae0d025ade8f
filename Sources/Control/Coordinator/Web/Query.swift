import Hummingbird
import Model
import Platform

/// The query of a call, read field by field; what is there and makes no sense is refused rather than ignored.
struct Query: Sendable {
    private let fields: [String: String]

    init(_ request: Request) {
        var fields: [String: String] = [:]
        for (name, value) in request.uri.queryParameters { fields[String(name)] = String(value) }
        self.fields = fields
    }

    func text(_ name: String) -> String? { fields[name] }

    func label<Noun>(_ name: String) throws(Failure) -> Label<Noun>? {
        guard let text = fields[name] else { return nil }
        return try Label(text)
    }

    func number(_ name: String) throws(Failure) -> UInt64? {
        guard let text = fields[name] else { return nil }
        guard let number = UInt64(text), number <= UInt64(Int64.max) else {
            throw Failure(.usage, "\"\(name)\" is not a number: \"\(text.prefix(80))\"")
        }
        return number
    }

    /// Nanoseconds since 1970.
    func time(_ name: String) throws(Failure) -> Timestamp? {
        try number(name).map { Timestamp(nanoseconds: Int64(clamping: $0)) }
    }

    func limit(atMost most: Int) throws(Failure) -> Int {
        guard let asked = try number("limit") else { return most }
        return Int(min(asked, UInt64(most)))
    }

    /// How long the answer may be held.
    func seconds() throws(Failure) -> Int { Int(min(try number("wait") ?? 0, 3600)) }

    func state() throws(Failure) -> JobState.Name? {
        guard let text = fields["state"] else { return nil }
        guard let state = JobState.Name(rawValue: text) else {
            let known = JobState.Name.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(.usage, "No job is \"\(text.prefix(80))\"", advice: "The states are: \(known)")
        }
        return state
    }
}
