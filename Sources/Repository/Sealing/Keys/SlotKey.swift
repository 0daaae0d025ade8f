package import Platform

/// What opens a key slot: a passphrase, or a key that never leaves its token.
package enum SlotKey: Sendable {
    case passphrase([UInt8])
    case token(any KeyToken)

    /// For messages.
    package var title: String {
        switch self {
        case .passphrase: "the passphrase"
        case .token(let token): "the key \(token.label)"
        }
    }
}

/// A wrapping key in a hardware token or a key service (a customer's master key): it wraps and unwraps a slot's 32
/// bytes, and may be taken away by whoever owns it.
package protocol KeyToken: Sendable {
    /// Which key, by the name its owner gave it.
    var label: String { get }

    /// - Throws: `.refused` when the key is not there or may not be used.
    func wrap(_ key: [UInt8]) throws(Failure) -> [UInt8]

    /// - Throws: `.refused` when the key is not there, may not be used, or did not wrap this.
    func unwrap(_ wrapped: [UInt8]) throws(Failure) -> [UInt8]
}
