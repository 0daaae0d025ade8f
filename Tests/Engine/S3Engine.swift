import Glibc
package import ObjectStore
package import Platform
package import S3Store

/// The real S3 engine of the tests, a Ceph that `Sites/ceph/with.sh` starts around them. `make test` always does.
package struct S3Engine: Sendable {
    private static let directory = variable("BREAKWATER_S3_ENGINE")

    /// Suites that need the engine are disabled without it: only where somebody runs `swift test` by hand.
    package static var isThere: Bool { directory != nil }
    package static let absence =
        "BREAKWATER_S3_ENGINE is not set, so nothing is tested against a real S3 engine. `make test` starts one; by hand: "
        + "bash Sites/ceph/with.sh .build/ceph swift test ..."

    private let directory: String
    /// `https://127.0.0.1:PORT`.
    package let endpoint: String
    /// The file of the CA that vouches for it.
    package let authority: String
    /// A file of AWS credentials.
    package let credentials: String

    package init() throws(Failure) {
        guard let directory = Self.directory else { throw Failure(.notFound, Self.absence) }
        self.directory = directory
        guard let text = try Self.read("\(directory)/endpoint", 256) else {
            throw Failure(.notFound, "the engine in \(directory) has not started")
        }
        endpoint = String(decoding: text, as: UTF8.self).filter { !$0.isWhitespace }
        authority = "\(directory)/ca.pem"
        credentials = "\(directory)/credentials"
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func read(_ path: String, _ limit: Int) throws(Failure) -> [UInt8]? {
        do throws(Failure) {
            return try Descriptor.open(path, O_RDONLY).readSome(limit: limit)
        } catch {
            guard error.code == .notFound else { throw error }
            return nil
        }
    }

    // MARK: - Environment and settings

    /// What a program needs in its environment to find the engine.
    package var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": endpoint, "AWS_CA_BUNDLE": authority, "AWS_SHARED_CREDENTIALS_FILE": credentials,
            "AWS_CONFIG_FILE": "/nonexistent", "AWS_REGION": "us-east-1",
        ]
    }

    package func settings(_ address: String) throws(Failure) -> S3Settings {
        let environment = environment
        return try S3Settings(S3Address(address), variable: { environment[$0] }, read: Self.read)
    }

    // MARK: - Buckets and vaults

    /// Operations on one of the engine's buckets, as anybody can do them who has the credentials.
    package func client(of bucket: String) throws(Failure) -> S3Client {
        S3Client(try settings("s3://\(bucket)"), surroundings: .system)
    }

    /// Makes a bucket of this user's, unless it is there.
    /// - Parameter locks: with Object Lock.
    package func makeBucket(_ name: String, versioned: Bool = false, locks: Bool = false) throws(Failure) {
        let client = try client(of: name)
        let headers = locks ? [(name: "x-amz-bucket-object-lock-enabled", value: "true")] : []
        let made = try client.send("making bucket \(name)", S3Call(.put, headers: headers)).answer
        guard made.status == 200 else { throw client.refusal("making bucket \(name)", made) }
        guard versioned else { return }
        let text = Array("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".utf8)
        let answer = try text.span.bytes.withUnsafeBytes { body throws(Failure) -> HTTPAnswer in
            try client.send("versioning \(name)", S3Call(.put, query: [("versioning", "")]), Payload(body)).answer
        }
        guard answer.status == 200 else { throw client.refusal("versioning \(name)", answer) }
    }

    /// The address of an empty vault, at a prefix that nobody used before.
    package func makeAddress(bucket: String = "breakwater-tests") throws(Failure) -> String {
        try makeBucket(bucket)
        return "s3://\(bucket)/\(Hex.encode(Surroundings.system.random(8)))"
    }

    /// The bucket with Object Lock of vaults that have one.
    package static let lockedBucket = "breakwater-locked"

    /// The address of an empty vault over two buckets.
    package func makeLockedAddress(retain: String = "30d", mode: String = "governance") throws(Failure) -> String {
        try makeBucket(Self.lockedBucket, locks: true)
        return "\(try makeAddress())?locked=\(Self.lockedBucket)&retain=\(retain)&mode=\(mode)"
    }

    /// A vault in one bucket or in two.
    package func open(
        _ address: String, _ names: LockedNames, _ access: StoreAccess = .writing, options: S3Store.Options = .init(),
        transport: (any HTTPTransport)? = nil
    ) throws(Failure) -> any MendingStore {
        try S3Vault.open(
            S3Address(address), try settings(address), names, access: access, surroundings: .system, options: options,
            transport: transport)
    }

    package func open(
        _ address: String, _ access: StoreAccess = .writing, options: S3Store.Options = .init()
    ) throws(Failure) -> S3Store {
        try S3Store(try settings(address), access: access, surroundings: .system, options: options)
    }

    // MARK: - Daemons

    /// Ends one of the engine's daemons as a power cut would: `osd.2`, for one.
    package func kill(_ daemon: String) throws(Failure) {
        guard let text = try Self.read("\(directory)/pids/\(daemon)", 32),
            let process = pid_t(String(decoding: text, as: UTF8.self).filter { !$0.isWhitespace }), process > 1,
            let name = try Self.read("/proc/\(process)/comm", 64),
            String(decoding: name, as: UTF8.self).hasPrefix("ceph-")
        else {
            throw Failure(.notFound, "\(daemon) does not run any more: the engine in \(directory) must be started anew")
        }
        guard Glibc.kill(process, SIGKILL) == 0 else { throw Failure.system(errno, "cannot kill \(daemon)") }
    }
}
