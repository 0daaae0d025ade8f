import Foundation
import Platform
import Support
import Testing

/// Repositories that earlier versions wrote, and that every version must read for ever.
@Suite struct GoldenTests {
    static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/golden")

    @Test(arguments: ["v1"], ["vault", "offsite"]) func aGoldenRepositoryReads(version: String, vault: String) throws {
        let golden = Self.fixtures.appending(path: version)
        let passphrase = try String(contentsOf: golden.appending(path: "passphrase"), encoding: .utf8)
        let toolbox = try Toolbox("golden", passphrase: passphrase)
        // A copy: reading claims what it reads, and the fixture stays as it is.
        try FileManager.default.copyItem(atPath: golden.appending(path: vault).path, toPath: toolbox("vault"))
        try toolbox.repository("check", ["--read-data"])

        let snapshots = try toolbox.repository("snapshots").objects
        #expect(snapshots.compactMap { $0["name"] as? String } == ["tree", "tree", "disk"])
        #expect(snapshots.compactMap { $0["kind"] as? String } == ["tree", "tree", "disk"])

        try toolbox.repository("restore", ["latest:disk", "--disk", toolbox("disk.raw")])
        let disk = try toolbox.bytes(of: "disk.raw")
        let expected = try String(contentsOf: golden.appending(path: "disk.sha256"), encoding: .utf8)
        #expect(disk.count == 5_000_001)
        #expect(SHA256.hash(disk).hex == expected.trimmingCharacters(in: .newlines))

        try toolbox.repository("restore", ["latest:tree", "--target", toolbox("target")])
        let restored = try Self.contents(below: toolbox("target"))
        let source = try Self.contents(below: golden.appending(path: "source").path)
        #expect(!source.isEmpty)
        for (name, bytes) in source {
            #expect(restored.first { $0.key.hasSuffix("/source/" + name) }?.value == bytes, "\(name)")
        }
    }

    /// Files and links below a directory, by their paths in it.
    private static func contents(below directory: String) throws -> [String: Data] {
        var found: [String: Data] = [:]
        for case let name as String in FileManager.default.enumerator(atPath: directory) ?? .init() {
            let path = directory + "/" + name
            let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            switch type {
            case .typeRegular: found[name] = try Data(contentsOf: URL(fileURLWithPath: path))
            case .typeSymbolicLink:
                found[name] = Data(try FileManager.default.destinationOfSymbolicLink(atPath: path).utf8)
            default: break
            }
        }
        return found
    }
}
