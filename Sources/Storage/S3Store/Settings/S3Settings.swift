/// All that is needed to talk to a vault in a bucket.
package struct S3Settings: Sendable {
    /// Whether a bucket stands in the path or before the host.
    package enum Style: String, Sendable { case path, virtual }

    package let endpoint: S3Endpoint
    package let region: String
    package let style: Style
    package let bucket: String
    package let prefix: String
    package let credentials: Credentials
    /// A PEM file of the CAs to trust instead of the machine's.
    package let authority: String?
    /// The vault's name, for people and for what is remembered of it: address and server, without anything secret.
    package let location: String

    package init(
        endpoint: S3Endpoint, region: String, style: Style, bucket: String, prefix: String, credentials: Credentials,
        authority: String? = nil
    ) {
        self.endpoint = endpoint
        self.region = region
        self.style = style
        self.bucket = bucket
        self.prefix = prefix
        self.credentials = credentials
        self.authority = authority
        let address = S3Address.scheme + bucket + (prefix.isEmpty ? "" : "/" + prefix)
        let isAmazons = endpoint.scheme == "https" && endpoint.host == Self.amazon(region)
        location = isAmazons ? address : "\(address)?endpoint=\(endpoint.scheme)://\(endpoint.host)"
    }

    /// The same of another bucket: its server, credentials and prefix.
    func inBucket(_ other: String) -> S3Settings {
        S3Settings(
            endpoint: endpoint, region: region, style: style, bucket: other, prefix: prefix, credentials: credentials,
            authority: authority)
    }

    static func amazon(_ region: String) -> String {
        "s3.\(region).amazonaws.com" + (region.hasPrefix("cn-") ? ".cn" : "")
    }

    /// What stands before every key of the vault.
    var root: String { prefix.isEmpty ? "" : prefix + "/" }

    /// Where a key of the bucket, or the bucket itself for an empty one, is found.
    package func place(of key: String) -> (host: String, path: String) {
        let path = PercentEncoding.encode(path: key)
        return switch style {
        case .path: (endpoint.host, "/\(bucket)" + (key.isEmpty ? "" : "/" + path))
        case .virtual: ("\(bucket).\(endpoint.host)", "/" + path)
        }
    }
}
