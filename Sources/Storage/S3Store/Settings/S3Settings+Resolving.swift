package import Platform

extension S3Settings {
    /// What the address leaves open is taken, in this order, from the environment and from the AWS files, as the AWS tools
    /// do: `AWS_ACCESS_KEY_ID` with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, `AWS_ENDPOINT_URL_S3`,
    /// `AWS_ENDPOINT_URL`, `AWS_REGION`, `AWS_DEFAULT_REGION`, `AWS_CA_BUNDLE`, `AWS_PROFILE`,
    /// `AWS_SHARED_CREDENTIALS_FILE`, `AWS_CONFIG_FILE`. A profile that the address names goes before the credentials of
    /// the environment.
    ///
    /// - Parameters:
    ///   - variable: a variable of the environment, nil when it is not set or empty.
    ///   - read: a file of at most so many bytes, nil when there is none.
    /// - Throws: `.usage` for a setting that makes no sense; `.refused` without credentials; what `read` throws.
    package init(
        _ address: S3Address, variable: (String) -> String?,
        read: (_ path: String, _ limit: Int) throws(Failure) -> [UInt8]?
    ) throws(Failure) {
        let named = address.parameters["profile"]
        let profile = named ?? variable("AWS_PROFILE") ?? "default"
        func file(_ name: String, _ chosen: String) throws(Failure) -> ProfileFile? {
            guard let path = variable(chosen) ?? variable("HOME").map({ "\($0)/.aws/\(name)" }) else { return nil }
            return try read(path, ProfileFile.longest).map { ProfileFile($0) }
        }
        let secrets = try file("credentials", "AWS_SHARED_CREDENTIALS_FILE")
        let config = try file("config", "AWS_CONFIG_FILE")
        if profile != "default", secrets?.has(profile) != true, config?.has(profile) != true {
            throw Failure(
                .usage, "there is no profile \(profile) in the AWS files",
                advice: "Check AWS_PROFILE, or what profile= in the vault's address names")
        }
        let given = (config?.profile(profile) ?? [:]).merging(secrets?.profile(profile) ?? [:]) { $1 }

        let region =
            address.parameters["region"] ?? variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION")
            ?? given["region"] ?? "us-east-1"
        guard !region.isEmpty, region.utf8.count <= 64, region.utf8.allSatisfy(Self.isRegionByte) else {
            throw Failure(.usage, "\(region.prefix(64)) is no region")
        }
        let chosen =
            address.parameters["endpoint"] ?? variable("AWS_ENDPOINT_URL_S3") ?? variable("AWS_ENDPOINT_URL")
            ?? given["s3.endpoint_url"] ?? given["endpoint_url"]
        let endpoint = try S3Endpoint(chosen ?? "https://" + Self.amazon(region))
        self.init(
            endpoint: endpoint, region: region,
            style: try Self.style(
                address.parameters["style"] ?? given["s3.addressing_style"], bucket: address.bucket, endpoint,
                isAmazons: chosen == nil),
            bucket: address.bucket, prefix: address.prefix,
            credentials: try Self.credentials(
                fromEnvironment: named == nil ? variable : { _ in nil }, given, profile: profile),
            authority: address.parameters["ca"] ?? variable("AWS_CA_BUNDLE") ?? given["ca_bundle"])
    }

    private static func isRegionByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    /// Amazon's own servers want the bucket before the host, most others know only the path. A bucket with a dot in its
    /// name does not fit a certificate.
    private static func style(
        _ chosen: String?, bucket: String, _ endpoint: S3Endpoint, isAmazons: Bool
    ) throws(Failure) -> Style {
        switch chosen {
        case "path": return .path
        case "virtual":
            guard !endpoint.isAddress else {
                throw Failure(
                    .usage, "a bucket cannot stand before the address \(endpoint.host)", advice: "Use style=path")
            }
            return .virtual
        case nil, "auto": return isAmazons && !bucket.contains(".") ? .virtual : .path
        case let other?:
            throw Failure(
                .usage, "\(other.prefix(64)) is no way to address a bucket", advice: "Use style=path or style=virtual")
        }
    }

    private static func credentials(
        fromEnvironment variable: (String) -> String?, _ profile: [String: String], profile name: String
    ) throws(Failure) -> Credentials {
        let found: Credentials?
        if let key = variable("AWS_ACCESS_KEY_ID"), let secret = variable("AWS_SECRET_ACCESS_KEY") {
            found = Credentials(accessKey: key, secret: secret, sessionToken: variable("AWS_SESSION_TOKEN"))
        } else if let key = profile["aws_access_key_id"], let secret = profile["aws_secret_access_key"] {
            found = Credentials(accessKey: key, secret: secret, sessionToken: profile["aws_session_token"])
        } else {
            let other = ["role_arn", "credential_process", "sso_session", "sso_start_url"].first { profile[$0] != nil }
            throw Failure(
                .refused,
                "there are no credentials for S3"
                    + (other.map { ": profile \(name) gets them by \($0), which is not supported" } ?? ""),
                advice: "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or keep both in ~/.aws/credentials")
        }
        guard let found else {
            throw Failure(
                .usage, "the credentials for S3 hold bytes that no credentials have", advice: "Check their source")
        }
        return found
    }
}
