import ObjectStore
import Platform
import Replication
import Repository
import Sealing
import Support
import Testing

/// What leans on a template is copied to where the template is, and to nowhere else.
@Suite struct LeanCopyTests {
    private let tenant: Pair
    private let base: Pair
    private let content: [UInt8]
    private let template: Digest
    private let snapshot: Digest

    init() throws {
        (tenant, base) = (try Pair(seed: 31), try Pair(seed: 32))
        var seed = Seed(33)
        content = seed.bytes(20 * DiskRef.blockSize)
        template = try Self.backUp(content, "golden", base.open(base.origin), nil)
        let lean = try base.open(base.origin).template(nil, for: tenant.open(tenant.origin))
        snapshot = try Self.backUp(content + seed.bytes(DiskRef.blockSize), "desk", tenant.open(tenant.origin), lean)
    }

    private static func backUp(
        _ bytes: [UInt8], _ name: String, _ repository: Repository, _ template: LeanTemplate?
    ) throws -> Digest {
        var options = BackupSession.Options()
        options.template = template
        let session = try repository.beginBackup(options)
        var writer = try DiskWriter(session, size: UInt64(bytes.count))
        for block in 0..<bytes.count / DiskRef.blockSize {
            let start = block * DiskRef.blockSize
            try bytes[start..<start + DiskRef.blockSize].withUnsafeBytes { try writer.put(UInt64(block), $0) }
        }
        let disk = try writer.finish()
        return try session.commit(
            .init(
                name: name, time: Timestamp(seconds: 1), host: "",
                streams: [.init(label: "", content: .disk(disk), bytes: disk.size, files: 0)])
        ).id
    }

    private func copy(base: Repository?) throws -> CopyReport {
        var options = Replicator.Options()
        options.base = base
        return try Replicator(
            from: tenant.origin, to: tenant.copy, siteKeys: tenant.siteKeys, heads: tenant.heads,
            surroundings: tenant.surroundings, options: options
        ).run()
    }

    private func baseThere() throws -> Repository { try base.open(base.copy) }

    /// Where the base's vault locks its data, the template stays locked from the commit on that leans on it, native or copied.
    @Test func aTemplateThatIsLeantOnStaysLocked() throws {
        let now = Timestamp(seconds: 1_900_000_000)
        func locked(_ store: StrictStore) -> LockedStore {
            LockedStore(
                store, folders: Set(ObjectKind.allCases.filter(\.isLocked).map(\.folder)), term: 1000, now: { now })
        }
        func expectLocked(_ store: LockedStore) throws {
            let state = try base.open(store).log.state
            let needs = try state.needs(of: try #require(state.snapshots[template]), base.open(store).log.pages)
            let names = state.objects.keys.filter { needs.contains($0.digest) }
            #expect(Set(names.map(\.kind)) == [.pack, .set, .envelope, .manifest])
            for name in names { #expect(store.ends[name.path] == Timestamp(seconds: 1_900_001_000), "\(name)") }
        }
        let here = locked(base.origin)
        let lean = try base.open(here).template(nil, for: tenant.open(tenant.origin))
        _ = try Self.backUp(content, "other", tenant.open(tenant.origin), lean)
        try expectLocked(here)
        _ = try base.replicator().run()
        let there = locked(base.copy)
        #expect(try copy(base: try base.open(there)).copied.count == 2)
        try expectLocked(there)
    }

    @Test func whereTheTemplateIsTheCopyIsWhole() throws {
        _ = try base.replicator().run()
        let report = try copy(base: try baseThere())
        #expect(report.copied == [snapshot] && report.damaged.isEmpty)
        let claims = try baseThere().log.state.claims.values.map(\.scope)
        #expect(claims == [.lean(tenant: try tenant.open(tenant.copy).id, snapshot: template)])
        // Both of the second site give the disk, and so do the copy and the first site's base.
        for place in [base.copy, base.origin] {
            let repository = try Repository.open(
                tenant.copy, .passphrase(tenant.passphrase), heads: NoHeadMemory(),
                surroundings: tenant.surroundings, base: base.open(place))
            let found = try repository.findSnapshot("latest:desk")
            guard case .disk(let disk) = found.part.streams[0].content else { throw Failure(.failed, "no disk") }
            var bytes = [UInt8](repeating: 0, count: content.count)
            let reader = DiskReader(try SnapshotReader(repository, found), disk)
            try bytes.withUnsafeMutableBytes { try reader.read(at: 0, into: $0) }
            #expect(bytes == content)
        }
        // Each vault holds the template for itself.
        _ = try tenant.open(tenant.copy).forget([snapshot])
        #expect(try LeanEnding(of: tenant.open(tenant.copy), in: baseThere()).released == [template])
        #expect(try LeanEnding(of: tenant.open(tenant.copy), in: base.open(base.origin)).released == [])
        #expect(try base.open(base.origin).log.state.claims.count == 1)
    }

    @Test func whereTheTemplateIsNotNothingThatLeansOnItIsCopied() throws {
        let plain = try tenant.backUp(content, name: "other")
        let without = try copy(base: nil)
        #expect(without.copied == [plain] && without.damaged.map(\.snapshot) == [snapshot])
        #expect(without.damaged[0].problem.code == .notFound && without.damaged[0].problem.what.contains(template.hex))
        #expect(try #require(without.shortfall).code == .partial)
        // A vault of the base that does not hold it yet, and one of another repository.
        let empty = try Pair(seed: 32)
        #expect(try copy(base: empty.open(empty.origin)).damaged[0].problem.what.contains("does not hold"))
        #expect(try copy(base: tenant.open(tenant.origin)).damaged[0].problem.what.contains("was named"))
        // Nor without the site's key, by which it is held.
        _ = try base.replicator().run()
        let keyless = try Repository.open(
            base.copy, .keyless, heads: NoHeadMemory(), surroundings: base.surroundings)
        #expect(try copy(base: keyless).damaged[0].problem.what.contains("cannot be held"))
        #expect(try copy(base: baseThere()).copied == [snapshot])
    }

    @Test func aTemplateThatWasLetGoOfThereIsNotLeantOnAgain() throws {
        _ = try base.replicator().run()
        _ = try copy(base: baseThere())
        _ = try tenant.open(tenant.copy).forget([snapshot])
        _ = try LeanEnding(of: tenant.open(tenant.copy), in: baseThere())
        let lean = try base.open(base.origin).template(nil, for: tenant.open(tenant.origin))
        let next = try Self.backUp(content, "desk", tenant.open(tenant.origin), lean)
        let report = try copy(base: baseThere())
        #expect(report.copied.isEmpty && report.damaged.map(\.snapshot) == [next])
        #expect(report.damaged[0].problem.what.contains("let go of at the destination"))
        #expect(try baseThere().log.state.claims.isEmpty)
    }
}
