/// A decoder, or some that read the same kind of bytes, under input that an attacker chose.
///
/// Whatever the input, a target returns: errors are right, traps and endless loops are not. What has one encoding only
/// must be decoded to exactly what it was decoded from. The fuzzer and the regression test share these.
package struct FuzzTarget: Sendable {
    package let name: String
    package let run: @Sendable ([UInt8]) -> Void

    package static let all = format + keys + outside

    package static func named(_ name: String) -> FuzzTarget? { all.first { $0.name == name } }

    /// The longest input worth trying.
    package static let longest = 64 << 10

    /// What has one encoding: it is refused, or it is what it was decoded from.
    static func same<Value>(
        _ bytes: [UInt8], _ decode: ([UInt8]) throws -> Value, _ encode: (Value) throws -> [UInt8]
    ) {
        guard let value = try? decode(bytes) else { return }
        guard let again = try? encode(value), again == bytes else {
            preconditionFailure("\(Value.self) was decoded from bytes that are not its encoding")
        }
    }
}
