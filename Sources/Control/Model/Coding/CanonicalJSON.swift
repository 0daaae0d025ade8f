import Foundation
package import Platform

/// JSON with sorted keys, so that equal values have equal bytes: what is hashed, stored and sent.
package enum CanonicalJSON {
    /// No message and no row is longer; a body is refused before it is parsed.
    package static let longest = 1 << 20

    package static func encode(_ value: some Encodable) throws(Failure) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return [UInt8](try encoder.encode(value)) } catch {
            throw Failure(.failed, "\(type(of: value)) cannot be written as JSON", cause: error)
        }
    }

    package static func text(_ value: some Encodable) throws(Failure) -> String {
        String(decoding: try encode(value), as: UTF8.self)
    }

    /// - Parameter wrong: what to call bytes that are not a `Value`: `.usage` from a caller, `.damaged` from a disk.
    package static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], wrong: Failure.Code, limit: Int = longest
    ) throws(Failure) -> Value {
        guard bytes.count <= limit else {
            throw Failure(wrong, "\(type) of \(bytes.count) bytes is longer than the \(limit) allowed")
        }
        do { return try JSONDecoder().decode(type, from: Data(bytes)) } catch let failure as Failure {
            throw Failure(wrong, failure.what, advice: failure.advice)
        } catch let error as DecodingError {
            throw Failure(wrong, "not a valid \(type): \(Self.words(error))")
        } catch {
            throw Failure(wrong, "not a valid \(type)", cause: error)
        }
    }

    package static func decode<Value: Decodable>(
        _ type: Value.Type, from text: String, wrong: Failure.Code
    ) throws(Failure) -> Value {
        try decode(type, from: Array(text.utf8), wrong: wrong)
    }

    private static func words(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "the document" : "\"\(path.map(\.stringValue).joined(separator: "."))\""
        }
        switch error {
        case .keyNotFound(let key, let context):
            return "\"\(key.stringValue)\" is missing in \(place(context.codingPath))"
        case .typeMismatch(let type, let context): return "\(place(context.codingPath)) is not a \(type)"
        case .valueNotFound(_, let context): return "\(place(context.codingPath)) has no value"
        case .dataCorrupted(let context): return "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default: return "unreadable"
        }
    }
}
