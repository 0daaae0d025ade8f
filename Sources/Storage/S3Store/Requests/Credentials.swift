/// What signs requests. The secret and the token never leave this type but into a signature and a header; printing or
/// reflecting the value shows neither.
package struct Credentials: Sendable, CustomStringConvertible, CustomReflectable {
    package let accessKey: String
    let secret: String
    /// Of temporary credentials.
    let sessionToken: String?

    /// - Returns: nil for what could not stand in a header: only printable ASCII without spaces can.
    package init?(accessKey: String, secret: String, sessionToken: String? = nil) {
        for text in [accessKey, secret, sessionToken ?? "-"] {
            guard !text.isEmpty, text.utf8.count <= 8192, text.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
                return nil
            }
        }
        self.accessKey = accessKey
        self.secret = secret
        self.sessionToken = sessionToken
    }

    package var description: String { "credentials of \(accessKey)" }
    package var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey]) }

    /// Whether `text`, which somebody else wrote, gives one of the secrets away.
    func areBetrayed(by text: String) -> Bool {
        text.contains(secret) || sessionToken.map { text.contains($0) } ?? false
    }
}
