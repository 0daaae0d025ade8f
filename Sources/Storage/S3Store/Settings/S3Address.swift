package import Platform

/// `s3://BUCKET[/PREFIX][?NAME=VALUE&...]`: which vault, and what of the settings differs from the environment. There is no
/// place in it for a secret.
package struct S3Address: Sendable, Equatable {
    package static let scheme = "s3://"

    package let bucket: String
    /// Without slashes at its ends; empty for the whole bucket.
    package let prefix: String
    /// By name: `endpoint`, `region`, `style` (`path` or `virtual`), `profile`, `ca`; `locked`, a bucket with Object Lock for
    /// the vault's data, `retain` and `mode` (see `ObjectLock`).
    package let parameters: [String: String]

    package static let parameterNames: Set<String> = [
        "endpoint", "region", "style", "profile", "ca", "locked", "retain", "mode",
    ]

    /// - Throws: `.usage` for what is no such address.
    package init(_ text: String) throws(Failure) {
        guard text.hasPrefix(Self.scheme) else { throw Self.unclear(text, "it does not begin with s3://") }
        let parts = text.dropFirst(Self.scheme.count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        bucket = path[0]
        guard !bucket.contains("@") else {
            throw Failure(
                .usage, "an address of a vault holds no credentials",
                advice: "Keep them in the environment or in the AWS files: arguments are seen by everybody")
        }
        guard Self.isBucket(bucket) else { throw Self.unclear(text, "its bucket has a name that no bucket can have") }
        var components = Array(path.dropFirst())
        if components.last == "" { components.removeLast() }
        prefix = components.joined(separator: "/")
        guard prefix.utf8.count <= 400, components.allSatisfy(Self.isComponent) else {
            throw Self.unclear(
                text,
                "its prefix must be of letters, digits, - _ and . between single slashes, none starting with a dot")
        }
        var parameters: [String: String] = [:]
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard sides.count == 2, Self.parameterNames.contains(sides[0]),
                let value = PercentEncoding.decode(Array(sides[1].utf8)),
                parameters.updateValue(String(decoding: value, as: UTF8.self), forKey: sides[0]) == nil
            else {
                throw Self.unclear(
                    text, "after ? it may say once each \(Self.parameterNames.sorted().joined(separator: "=, "))=")
            }
        }
        self.parameters = parameters
    }

    private static func unclear(_ text: String, _ why: String) -> Failure {
        Failure(
            .usage, "\(text.prefix(600)) is no address of a vault: \(why)",
            advice: "Write s3://BUCKET/PREFIX, with ?endpoint=https://HOST for a server that is not Amazon's")
    }

    /// Whether a bucket can have that name.
    static func isBucket(_ text: String) -> Bool {
        (3...63).contains(text.utf8.count) && text.utf8.allSatisfy(isBucketByte) && text.first != "."
            && text.first != "-"
            && text.last != "." && text.last != "-" && !text.contains("..")
    }

    private static func isBucketByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func isComponent(_ text: String) -> Bool {
        !text.isEmpty && text.first != "."
            && text.utf8.allSatisfy {
                isBucketByte($0) || $0 == UInt8(ascii: "_") || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
            }
    }
}
