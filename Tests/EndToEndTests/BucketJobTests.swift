import Engine
import Foundation
import Platform
import Support
import Testing

/// The toolbox on vaults of the real S3 engine, run as a person runs it.
@Suite(.enabled(if: S3Engine.isThere, Comment(rawValue: S3Engine.absence))) struct BucketJobTests {
    private let toolbox: Toolbox
    private let engine: S3Engine
    private let vault: String

    init() throws {
        toolbox = try Toolbox("bucket")
        engine = try S3Engine()
        vault = try engine.makeAddress()
    }

    @discardableResult
    private func run(
        _ arguments: [String], exits code: Int32 = 0, at location: SourceLocation = #_sourceLocation
    ) throws -> Toolbox.Run {
        let environment = engine.environment.merging(["BREAKWATER_PASSPHRASE_FILE": toolbox("passphrase")]) { $1 }
        let run = try toolbox.run(["repository"] + arguments, environment: environment)
        #expect(run.exit == .code(code), "\(arguments): \(run.errors)", sourceLocation: location)
        return run
    }

    @Test func theMainJobGoesThroughABucket() throws {
        var seed = Seed(61)
        try toolbox.write(seed.bytes(3_000_000), "source/one")
        try toolbox.write("港口", "source/deep/二.txt")
        let made = try run(["init", "--vault", vault])
        #expect(try made.result["location"] as? String == "\(vault)?endpoint=\(engine.endpoint)")
        try run(["init", "--vault", vault], exits: 3)
        try run(["backup", "--vault", vault, "--name", "desk", toolbox("source")])
        try toolbox.write("new", "source/three")
        let second = try run(["backup", "--vault", vault, "--name", "desk", toolbox("source")])
        #expect((try second.result["storedBytes"] as? Int ?? .max) < 200_000)
        #expect(try run(["snapshots", "--vault", vault, "--json"]).objects.count == 2)
        try run(["check", "--vault", vault, "--read-data"])
        try run(["list", "--vault", vault, "latest:desk"])
        try run(["restore", "--vault", vault, "latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
    }

    @Test func copiesGoOutOfABucketAndIntoOne() throws {
        var seed = Seed(62)
        try toolbox.write(seed.bytes(1_000_000), "source/one")
        try run(["init", "--vault", vault])
        try run(["backup", "--vault", vault, "--name", "desk", toolbox("source")])
        try run(["copy", "--from", vault, "--to", toolbox("copy")])
        let other = try engine.makeAddress()
        try run(["copy", "--from", toolbox("copy"), "--to", other])
        let nothing = try run(["copy", "--from", vault, "--to", other])
        #expect(try nothing.result["bytesSent"] as? Int == 0)
        try run(["restore", "--vault", other, "latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        try run(["check", "--vault", other, "--read-data", "--also", toolbox("copy")])
    }

    @Test func aVaultThatLocksSaysWhatIsLockedAndUntilWhen() throws {
        let locked = try engine.makeLockedAddress(retain: "1d")
        var seed = Seed(63)
        try toolbox.write(seed.bytes(1_000_000), "source/one")
        try run(["init", "--vault", locked])
        try run(["backup", "--vault", locked, "--name", "desk", toolbox("source")])
        try toolbox.write(seed.bytes(500_000), "source/one")
        try run(["backup", "--vault", locked, "--name", "desk", toolbox("source")])
        let usage = try run(["usage", "--vault", locked])
        #expect((try usage.result["locked"] as? Int ?? 0) > 1_500_000)
        #expect((try usage.result["lockedUntil"] as? String ?? "").hasSuffix("Z"))
        try run(["forget", "--vault", locked, "--keep-last", "1", "--yes"])
        let dry = try run(["collect", "--vault", locked, "--dry-run"])
        #expect(try dry.result["bytes"] as? Int == 0)
        let collected = try run(["collect", "--vault", locked])
        #expect(try collected.result["bytes"] as? Int == 0)
        #expect((try collected.result["locked"] as? Int ?? 0) >= 3)
        // A copy out of it is a vault like others, and one into such a vault is locked.
        try run(["copy", "--from", locked, "--to", toolbox("copy")])
        let second = try engine.makeLockedAddress(retain: "1d")
        try run(["copy", "--from", toolbox("copy"), "--to", second])
        #expect((try run(["usage", "--vault", second]).result["locked"] as? Int ?? 0) > 500_000)
        try run(["restore", "--vault", second, "latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        // By halves, or without its term, it is refused.
        let half = try #require(locked.split(separator: "?").first.map(String.init))
        #expect(try run(["snapshots", "--vault", half], exits: 3).errors.contains("half a vault"))
        let reading = try #require(locked.split(separator: "&").first.map(String.init))
        try run(["snapshots", "--vault", reading])
        try run(["collect", "--vault", reading], exits: 2)
        try engine.makeBucket("breakwater-unlocked")
        let unlocked = "\(try engine.makeAddress())?locked=breakwater-unlocked&retain=1d"
        #expect(try run(["init", "--vault", unlocked], exits: 3).errors.contains("has no Object Lock"))
    }

    @Test func aBucketWithoutPutIfAbsentIsRefusedWithTheReason() throws {
        try engine.makeBucket("breakwater-versioned", versioned: true)
        let careless = try engine.makeAddress(bucket: "breakwater-versioned")
        let refused = try run(["init", "--vault", careless], exits: 3)
        #expect(refused.errors.contains("a second put of one key was not refused"))
        #expect(try run(["snapshots", "--vault", careless], exits: 4).errors.isEmpty == false)
    }

    @Test func whatIsWrongWithAnAddressIsSaid() throws {
        #expect(try run(["snapshots", "--vault", "s3://no-such-bucket-here/x"], exits: 4).errors.contains("no bucket"))
        try run(["snapshots", "--vault", "s3://key:secret@bucket/x"], exits: 2)
        let nobody = try run(["snapshots", "--vault", vault + "?endpoint=https://127.0.0.1:1"], exits: 7)
        #expect(nobody.errors.contains("cannot be reached"))
    }
}
