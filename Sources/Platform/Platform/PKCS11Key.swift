internal import CPKCS11

/// A wrapping key in a token (PKCS #11): it wraps and unwraps by AES key wrap with padding (RFC 5649), and never
/// leaves the token.
///
/// A session of its own for each call: what the token's owner takes away is gone at once.
package struct PKCS11Key: Sendable {
    /// Path of the module that speaks to the token.
    package let module: String
    /// The token's label.
    package let token: String
    /// The key's label in the token.
    package let label: String
    private let pin: [UInt8]
    private static let longest = 1024

    /// - Parameter pin: of the token's user; never printed.
    package init(module: String, token: String, label: String, pin: [UInt8]) {
        self.module = module
        self.token = token
        self.label = label
        self.pin = pin
    }

    /// - Throws: `.refused` when the token, the key, or the right to use it is not there.
    package func wrap(_ secret: [UInt8]) throws(Failure) -> [UInt8] {
        try unsafe call(secret) { unsafe pkcs11_wrap($0, $1, $2, $3, $4) }
    }

    /// - Throws: `.refused` when the token, the key, or the right to use it is not there, or it did not wrap this.
    package func unwrap(_ wrapped: [UInt8]) throws(Failure) -> [UInt8] {
        try unsafe call(wrapped) { unsafe pkcs11_unwrap($0, $1, $2, $3, $4) }
    }

    private typealias Call = (
        OpaquePointer, UnsafePointer<UInt8>, Int, UnsafeMutablePointer<UInt8>, UnsafeMutablePointer<Int>
    ) -> Int

    private func call(_ input: [UInt8], _ body: Call) throws(Failure) -> [UInt8] {
        var opened: OpaquePointer?
        // An empty array has no address.
        let secret = pin.isEmpty ? [0] : pin
        let found = unsafe pkcs11_open(module, token, label, secret, pin.count, &opened)
        guard let key = unsafe opened, found == 0 else { throw failure(found) }
        defer { unsafe pkcs11_close(key) }
        var output = [UInt8](repeating: 0, count: Self.longest)
        var length = output.count
        let outcome = unsafe body(key, input.isEmpty ? [0] : input, input.count, &output, &length)
        guard outcome == 0, length <= output.count else { throw failure(outcome) }
        return Array(output[..<length])
    }

    private func failure(_ outcome: Int) -> Failure {
        let what: String
        switch outcome {
        case Int(PKCS11_NO_MODULE):
            return Failure(
                .refused, "the PKCS #11 module \(module) cannot be loaded", advice: "Check its path.")
        case Int(PKCS11_NO_TOKEN): what = "there is no token \(token)"
        case Int(PKCS11_NO_KEY): what = "there is no key \(label) in the token \(token)"
        case Int(PKCS11_SEVERAL_KEYS): what = "several keys in the token \(token) are called \(label)"
        case 0xA0, 0xA1, 0xA2, 0xA4: what = "the token \(token) does not take the PIN"
        case 0xF0, 0x110, 0x112: what = "the key \(label) in the token \(token) did not wrap this"
        default: what = "the key \(label) in the token \(token) cannot be used (PKCS #11 result \(outcome))"
        }
        return Failure(
            .refused, what, advice: "Ask whoever owns the key. Without it nothing can be opened; nothing was changed.")
    }
}
