import Platform

/// What the body of a refusal says. Texts of the server's are cut and cleaned: they go to people's terminals.
package struct ErrorAnswer {
    /// Such as `NoSuchBucket`; empty when the body was no error of S3's.
    package var code = ""
    package var message = ""

    package init(_ bytes: [UInt8]) {
        var (code, message) = ("", "")
        // A body that is no XML says nothing; the status counts all the same.
        try? XMLScanner.scan(bytes) { path, text in
            if path == ["Error", "Code"] { code = text }
            if path == ["Error", "Message"] { message = text }
        }
        self.code = Self.clean(code, longest: 64)
        self.message = Self.clean(message, longest: 240)
    }

    private static func clean(_ text: String, longest: Int) -> String {
        String(text.unicodeScalars.prefix(longest).map { 0x20...0x7e ~= $0.value ? Character($0) : "?" })
    }
}
