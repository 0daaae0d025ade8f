import Foundation
import Platform

/// Bytes that travel in JSON as base64 (RFC 4648), never longer than 64 KiB: keys, certificates, statements.
package struct Octets: Hashable, Sendable, Codable, CustomStringConvertible {
    package let bytes: [UInt8]
    package static let longest = 64 << 10

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard text.utf8.count <= Self.longest * 4 / 3 + 4, let data = Data(base64Encoded: text) else {
            throw Failure(.usage, "A field is not base64, or longer than \(Self.longest) bytes")
        }
        bytes = [UInt8](data)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Data(bytes).base64EncodedString())
    }

    /// The length only: some of these are secret.
    package var description: String { "\(bytes.count) bytes" }
}
