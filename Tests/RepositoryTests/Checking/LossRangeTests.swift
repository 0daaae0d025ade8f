import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// What a damaged pack costs, byte by byte: neither more nor less than what a restore would not give.
struct LossRangeTests {
    /// By reading everything: the bytes of the file and of the disk that cannot be had; nil where the tree cannot be read.
    private func truth(_ id: Digest, _ repository: Repository) throws -> (file: Set<UInt64>?, disk: Set<UInt64>) {
        let snapshot = try repository.findSnapshot(id.hex)
        let reader = try SnapshotReader(repository, snapshot)
        var (file, disk): (Set<UInt64>?, Set<UInt64>) = ([], [])
        for stream in snapshot.part.streams {
            switch stream.content {
            case .machine: break
            case .tree(let root):
                var waiting = [root]
                do {
                    while let directory = waiting.popLast() {
                        try reader.forEachEntry(of: directory) { entry in
                            guard let content = entry.content else { return }
                            if entry.kind == .directory { return waiting.append(content) }
                            try reader.forEachChunk(of: content) { chunk, offset in
                                guard chunk.id != .hole, (try? reader.read(chunk.id)) == nil else { return }
                                file?.formUnion(offset..<offset + chunk.length)
                            }
                        }
                    }
                } catch { file = nil }
            case .disk(let reference):
                let opened = DiskReader(reader, reference)
                for block in 0..<reference.blocks {
                    var bytes = [UInt8](repeating: 0, count: opened.length(of: block))
                    let isRead: Void? = try? bytes.withUnsafeMutableBytes {
                        try opened.read(at: block * UInt64(DiskRef.blockSize), into: $0)
                    }
                    let start = block * UInt64(DiskRef.blockSize)
                    if isRead == nil { disk.formUnion(start..<start + UInt64(bytes.count)) }
                }
            }
        }
        return (file, disk)
    }

    private func bytes(_ losses: [CheckLoss], _ kind: CheckLoss.Kind) -> Set<UInt64> {
        losses.filter { $0.kind == kind }.reduce(into: []) { $0.formUnion($1.range) }
    }

    @Test(arguments: [0.1, 0.5, 0.8, nil] as [Double?]) func lossesAreWhatARestoreDoesNotGive(place: Double?) throws {
        let damage = try DamageEstate(seed: 52)
        var seen: Set<CheckLoss.Kind> = []
        for key in damage.keys("packs") {
            let store = damage.store.copy()
            if let place {
                store.alter(key) { $0[Int(Double($0.count) * place)] ^= 1 }
            } else {
                store.lose(key)
            }
            let report = try damage.check(store)
            let finding = try #require(report.findings.first { $0.object == key })
            let repository = try damage.open(store)
            for id in damage.snapshots {
                let losses = report.losses.filter { $0.snapshot == id }
                let truth = try truth(id, repository)
                if let file = truth.file {
                    #expect(bytes(losses, .file) == file)
                } else {
                    #expect(losses.contains { $0.kind == .directory })
                }
                // A node that is lost hides which blocks below it were holes.
                #expect(bytes(losses, .disk) == truth.disk)
                #expect(losses.isEmpty || finding.snapshots.contains(id))
                #expect(losses.allSatisfy { $0.pack == finding.name?.digest })
                #expect(losses.allSatisfy { $0.kind != .file || $0.path == "/inner/文件" })
                seen.formUnion(losses.map(\.kind))
            }
            let twin = try damage.open(damage.store.copy())
            #expect(try damage.check(store, also: [twin]).losses == [])
        }
        if place == nil { #expect(seen == [.file, .disk, .directory]) }
    }

    @Test func lossesPastTheBoundAreCounted() throws {
        let damage = try DamageEstate(seed: 53)
        let store = damage.store.copy()
        for key in damage.keys("packs") { store.alter(key) { $0[$0.count / 2] ^= 1 } }
        let whole = try damage.check(store)
        #expect(whole.lossesLeftOut.isEmpty && !whole.losses.isEmpty)
        var options = Checker.Options()
        options.readData = true
        options.lossesPerSnapshot = 0
        let bounded = try Checker.check(try damage.open(store), options)
        #expect(bounded.losses == [])
        for id in damage.snapshots {
            #expect(bounded.lossesLeftOut[id] ?? 0 == UInt64(whole.losses.filter { $0.snapshot == id }.count))
        }
    }

    /// Orphans are no damage, and a manifest among them is named, since a log that lost its end looks the same.
    @Test func aCompleteManifestThatNoRecordCommitsIsNamed() throws {
        let damage = try DamageEstate(seed: 54)
        let content = damage.estate.bytes(200_000)
        let counter = FaultyStore(damage.store.copy(), seed: 1) { _ in }
        _ = try DamageEstate.backUp(content, into: try damage.open(counter))
        let store = damage.store.copy()
        let dying = FaultyStore(store, seed: 1) { $0.crashAfter = counter.changes.last }
        #expect(throws: (any Error).self) { try DamageEstate.backUp(content, into: try damage.open(dying)) }
        let manifest = try #require(store.keys.first { $0.hasPrefix("manifests/") && !damage.store.keys.contains($0) })
        let report = try damage.check(store)
        #expect(report.isClean && report.uncommitted.map(\.hex) == [String(manifest.dropFirst(10).prefix(64))])
        // One that nobody signed is nothing but an orphan.
        store.alter(manifest) { $0[$0.count - 1] ^= 1 }
        #expect(try damage.check(store).uncommitted == [])
    }
}
