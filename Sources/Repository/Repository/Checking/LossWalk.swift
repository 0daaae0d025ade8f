internal import ObjectStore
internal import Platform
internal import Sealing

/// Follows every reference of one snapshot and notes the bytes that no vault at hand gives.
///
/// A chunk that resolves into a pack known to be damaged is read, as a restore would read it: so of a damaged pack only
/// those chunks are lost that lie in what is damaged, and that are nowhere else. Chunks of other packs are not read.
final class LossWalk {
    private(set) var losses: [CheckLoss] = []
    /// Losses in all, also those that `losses` has no room for.
    private(set) var found: UInt64 = 0
    /// References that lead nowhere, and one to show.
    private(set) var references = 0
    private(set) var example: String?

    /// Bytes of disks that are in no pack of the snapshot, and in a template that is not at hand.
    private(set) var elsewhere: UInt64 = 0

    private let snapshot: Snapshot
    private let reader: SnapshotReader
    private let most: Int
    private let readsTemplates: Bool
    /// The snapshot leans on a template, and no base repository was named.
    private let isBlind: Bool
    private var damaged: Set<Digest>
    /// Chunks that could not be had.
    private var lost: Set<ChunkID> = []
    /// Of packs of templates, whether they are there.
    private var templatePacks: [Digest: Bool] = [:]
    private var stream = ""
    private var pending: CheckLoss?

    private struct Loss {
        var pack: Digest?
        var why: String
    }

    /// - Parameters:
    ///   - damaged: roots of packs of which something is damaged.
    ///   - most: losses to keep; nil for all.
    ///   - readsTemplates: read what the snapshot takes from a template that is at hand, not only look for its packs.
    init(_ snapshot: Snapshot, _ reader: SnapshotReader, damaged: Set<Digest>, most: Int?, readsTemplates: Bool) {
        self.snapshot = snapshot
        self.reader = reader
        self.damaged = damaged
        self.most = most ?? .max
        self.readsTemplates = readsTemplates
        isBlind = !snapshot.clear.leans.isEmpty && reader.repository.base == nil
    }

    func run() {
        for stream in snapshot.part.streams {
            self.stream = stream.label
            switch stream.content {
            case .tree(let root): walk(tree: root)
            case .machine(let document): follow(document, .document, "")
            case .disk(let disk): walk(DiskReader(reader, disk))
            }
        }
        flush()
    }

    // MARK: - Noting

    private func lose(_ kind: CheckLoss.Kind, _ path: String, _ range: Range<UInt64>, _ loss: Loss) {
        references += 1
        if example == nil {
            let place = kind == .disk ? "the disk" : path.isEmpty ? "the root" : path
            example = "\(place): the \(range.count) bytes from \(range.lowerBound) on: \(loss.why)"
        }
        let next = CheckLoss(
            snapshot: snapshot.id, stream: stream, kind: kind, path: path, range: range, pack: loss.pack)
        if let known = pending, known.continues(in: next) {
            pending?.range = known.range.lowerBound..<range.upperBound
        } else {
            flush()
            pending = next
        }
    }

    private func flush() {
        guard let loss = pending else { return }
        pending = nil
        found += 1
        if losses.count < most { losses.append(loss) }
    }

    // MARK: - One chunk

    /// Why a chunk of that length cannot be had; nil when it can.
    private func loss(of id: ChunkID, length: UInt64) -> Loss? {
        let (home, place): (SnapshotReader, SnapshotReader.Place)
        do throws(Failure) { (home, place) = try reader.find(id) } catch { return Loss(pack: nil, why: error.what) }
        guard UInt64(place.entry.length) == length else {
            return Loss(
                pack: nil, why: "chunk \(id) has \(place.entry.length) bytes where \(length) are referred to")
        }
        if home !== reader { return loss(of: id, at: place, in: home) }
        guard damaged.contains(place.root) else { return nil }
        if lost.contains(id) { return Loss(pack: place.root, why: "it lies in a damaged pack") }
        do throws(Failure) {
            _ = try reader.read(id)
            return nil
        } catch {
            lost.insert(id)
            return Loss(pack: place.root, why: error.what)
        }
    }

    /// Of what a template holds it is seen whether its pack is there and opens; with every byte it is read, as a restore
    /// would. What is damaged of a base is named by a check of that.
    private func loss(of id: ChunkID, at place: SnapshotReader.Place, in home: SnapshotReader) -> Loss? {
        let base = home.repository
        func missing(_ why: String) -> Loss {
            Loss(pack: nil, why: "in the base, \(base.store.location), which wants a `check` and a `repair`: \(why)")
        }
        let opens =
            templatePacks[place.root]
            ?? (PackPresence.isThere(place.root, in: base) && (try? home.opener.table(place.root)) != nil)
        templatePacks[place.root] = opens
        guard opens else {
            return missing("pack \(place.root) is not there, not as long as it was, or does not open")
        }
        guard readsTemplates, !lost.contains(id) else {
            return lost.contains(id) ? missing("it lies in a damaged pack") : nil
        }
        do throws(Failure) {
            _ = try reader.read(id)
            return nil
        } catch {
            lost.insert(id)
            return missing(error.what)
        }
    }

    /// A check that does not read every byte learns of damage when it reads directories, lists and nodes.
    private func learn() { for trouble in reader.troubles where trouble.isHere { damaged.insert(trouble.pack.digest) } }

    private func pack(of id: ChunkID) -> Digest? { (try? reader.find(id))?.place.root }

    // MARK: - Trees and documents

    private func walk(tree root: ContentRef) {
        var waiting: [(path: String, content: ContentRef)] = [("", root)]
        while let directory = waiting.popLast() {
            do {
                try reader.forEachEntry(of: directory.content) { entry in
                    let path = directory.path + "/" + String(decoding: entry.name, as: UTF8.self)
                    guard let content = entry.content else { return }
                    if entry.kind == .directory {
                        waiting.append((path, content))
                    } else {
                        follow(content, .file, path)
                    }
                }
            } catch {
                learn()
                let before = references
                follow(directory.content, .directory, directory.path)
                if references == before {
                    // Its bytes are there, and are no entries.
                    lose(
                        .directory, directory.path, 0..<max(1, directory.content.length),
                        Loss(pack: nil, why: Self.words(error)))
                }
            }
        }
    }

    private func follow(_ content: ContentRef, _ kind: CheckLoss.Kind, _ path: String) {
        follow(content.chunks, depth: content.depth, from: 0, kind, path)
    }

    private func follow(
        _ chunks: [ChunkRef], depth: UInt8, from start: UInt64, _ kind: CheckLoss.Kind, _ path: String
    ) {
        var offset = start
        for chunk in chunks {
            let range = offset..<offset + chunk.length
            offset = range.upperBound
            guard chunk.id != .hole else { continue }
            if depth == 0 {
                if let loss = loss(of: chunk.id, length: chunk.length) { lose(kind, path, range, loss) }
            } else {
                do throws(Failure) {
                    let list = try ContentRef.decodeList(try reader.read(chunk.id), depth: depth, length: chunk.length)
                    follow(list, depth: depth - 1, from: range.lowerBound, kind, path)
                } catch {
                    learn()
                    lose(kind, path, range, Loss(pack: pack(of: chunk.id), why: error.what))
                }
            }
        }
    }

    // MARK: - Disks

    private func walk(_ disk: DiskReader) {
        let blockSize = UInt64(DiskRef.blockSize)
        func below(_ id: ChunkID, level: Int, first: UInt64) {
            guard id != .hole else { return }
            let start = first &* blockSize
            guard first < disk.disk.blocks else {
                return lose(.disk, "", disk.size..<disk.size + 1, Loss(pack: nil, why: "it lies past the disk's end"))
            }
            if level < 0 {
                let length = UInt64(disk.length(of: first))
                if isBlind, !reader.holds(id) { return elsewhere += length }
                if let loss = loss(of: id, length: length) { lose(.disk, "", start..<start + length, loss) }
                return
            }
            var reach: UInt64 = 1
            for _ in 0..<level { reach *= UInt64(DiskRef.fanOut) }
            do throws(Failure) {
                for (position, child) in try disk.node(id).enumerated() where child != .hole {
                    below(child, level: level - 1, first: first + UInt64(position) * reach)
                }
            } catch {
                learn()
                // Which blocks below it were holes is not known.
                let end = min(disk.size, start + reach * UInt64(DiskRef.fanOut) * blockSize)
                lose(.disk, "", start..<end, Loss(pack: pack(of: id), why: error.what))
            }
        }
        below(disk.disk.root, level: Int(disk.disk.levels) - 1, first: 0)
    }

    private static func words(_ error: any Error) -> String { (error as? Failure)?.what ?? "\(error)" }
}
