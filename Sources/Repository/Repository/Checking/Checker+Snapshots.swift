internal import Platform
internal import Sealing

extension Checker {
    /// Opens each snapshot and follows every reference in it: each must resolve within the snapshot's own sets, also
    /// those it inherited.
    func checkSnapshots() throws {
        let snapshots = liveSnapshots
        ledger.begin(.snapshots, of: UInt64(snapshots.count))
        guard !snapshots.isEmpty else { return }
        let index = try repository.loadIndex(for: .reading).index
        for committed in snapshots {
            let path = committed.manifest.name.path
            do throws(Failure) {
                let snapshot = try repository.snapshot(committed)
                let reader = try SnapshotReader(repository, snapshot, index: index)
                walk(snapshot, reader)
                note(reader.troubles)
                ledger.change { $0.snapshots += 1 }
            } catch {
                let trouble = try CheckTrouble.of(error)
                if !isExplained(committed) {
                    ledger.add(
                        path, committed.manifest.name, .unopenable, "the snapshot cannot be opened: \(trouble.meaning)",
                        snapshots: [committed.manifest.name.digest])
                }
            }
            ledger.passed(isObject: false)
        }
    }

    /// Whether damage noted already explains that a snapshot does not open.
    private func isExplained(_ committed: LogState.Committed) -> Bool {
        let needed: [(ObjectKind, [Digest])] = [
            (.manifest, [committed.manifest.name.digest]), (.set, committed.clear.sets),
            (.envelope, committed.clear.envelopes.flatMap(state.wraps(of:))),
        ]
        return needed.contains { kind, digests in
            digests.contains { digest in state.names(of: kind, digest).contains { ledger.has($0.path) } }
        }
    }

    /// What reading came upon in this vault's packs; a check without `readData` learns of it here.
    private func note(_ troubles: [PackOpener.Trouble]) {
        for trouble in troubles where trouble.isHere {
            ledger.add(trouble.pack, CheckTrouble(trouble.isMissing ? .missing : .altered, trouble.what))
        }
    }

    // MARK: - Walking

    /// References of one snapshot that lead nowhere: how many, and one to show.
    private final class Lost {
        var count = 0
        var example: String?

        func note(_ path: String, _ why: String) {
            count += 1
            example = example ?? "\(path.isEmpty ? "the root" : path): \(why)"
        }
    }

    private func walk(_ snapshot: Snapshot, _ reader: SnapshotReader) {
        let lost = Lost()
        for stream in snapshot.part.streams {
            switch stream.content {
            case .tree(let root): walk(tree: root, reader, lost)
            case .machine(let document): follow(document, stream.label, reader, lost)
            case .disk(let disk): walk(DiskReader(reader, disk), lost)
            }
        }
        // What a damaged pack, set or envelope holds is lost for that reason, which is named.
        guard let example = lost.example, !reader.troubles.contains(where: \.isHere), !isExplained(snapshot.committed)
        else { return }
        ledger.add(
            snapshot.committed.manifest.name.path, snapshot.committed.manifest.name, .unresolved,
            "\(lost.count) references lead nowhere; \(example)", snapshots: [snapshot.id])
    }

    private func walk(tree root: ContentRef, _ reader: SnapshotReader, _ lost: Lost) {
        var waiting: [(path: String, content: ContentRef)] = [("", root)]
        while let directory = waiting.popLast() {
            do {
                try reader.forEachEntry(of: directory.content) { entry in
                    let path = directory.path + "/" + String(decoding: entry.name, as: UTF8.self)
                    guard let content = entry.content else { return }
                    if entry.kind == .directory {
                        waiting.append((path, content))
                    } else {
                        follow(content, path, reader, lost)
                    }
                }
            } catch {
                lost.note(directory.path, Self.words(error))
            }
        }
    }

    private func follow(_ content: ContentRef, _ path: String, _ reader: SnapshotReader, _ lost: Lost) {
        do {
            try reader.forEachChunk(of: content) { chunk, offset in
                guard chunk.id != .hole else { return }
                if let problem = Self.problem(chunk.id, UInt64(chunk.length), reader) {
                    lost.note(path, "the \(chunk.length) bytes from \(offset) on: \(problem)")
                }
            }
        } catch {
            lost.note(path, Self.words(error))
        }
    }

    private func walk(_ disk: DiskReader, _ lost: Lost) {
        func below(_ id: ChunkID, level: Int, first: UInt64) {
            guard id != .hole else { return }
            guard first < disk.disk.blocks else { return lost.note("block \(first)", "it lies past the disk's end") }
            if level < 0 {
                if let problem = Self.problem(id, UInt64(disk.length(of: first)), disk.reader) {
                    lost.note("block \(first)", problem)
                }
                return
            }
            var reach: UInt64 = 1
            for _ in 0..<level { reach *= UInt64(DiskRef.fanOut) }
            do throws(Failure) {
                for (position, child) in try disk.node(id).enumerated() where child != .hole {
                    below(child, level: level - 1, first: first + UInt64(position) * reach)
                }
            } catch {
                lost.note("the node of block \(first)", error.what)
            }
        }
        below(disk.disk.root, level: Int(disk.disk.levels) - 1, first: 0)
    }

    /// Why a chunk of that length cannot be had within the snapshot's sets.
    private static func problem(_ id: ChunkID, _ length: UInt64, _ reader: SnapshotReader) -> String? {
        do throws(Failure) {
            let place = try reader.find(id)
            return UInt64(place.entry.length) == length
                ? nil : "chunk \(id) has \(place.entry.length) bytes where \(length) are referred to"
        } catch { return error.what }
    }

    private static func words(_ error: any Error) -> String { (error as? Failure)?.what ?? "\(error)" }
}
