internal import Glibc
package import Platform
internal import Sealing
internal import Synchronization

/// One sorted run of the local index: entries, the packs that they name, and the segments they came from, in a file
/// that is never changed. Several runs make up an index (`IndexShelf`).
package final class IndexRun: Sendable {
    let file: IndexFile
    package let shape: IndexShape
    /// Folder and name; nil for a file that has none.
    let place: Place?
    /// A block did not open. What this run says no is not to be believed.
    private let hurt = Atomic<Bool>(false)

    /// - Throws: `.damaged` when the file is not one of the owner's, or was cut.
    init(_ file: IndexFile, at place: Place?) throws(Failure) {
        self.file = file
        self.place = place
        shape = try IndexShape(try file.header(), blocks: file.blocks)
    }

    var isHurt: Bool { hurt.load(ordering: .relaxed) }

    /// Who comes next finds no such run, and makes it anew.
    func noteHurt() {
        guard !hurt.exchange(true, ordering: .relaxed), let place else { return }
        _ = unsafe Name.with(Array(place.folder.utf8) + [UInt8(ascii: "/")] + place.name) { unsafe unlink($0) }
    }

    struct Place: Sendable {
        var folder: String
        var name: [UInt8]
    }

    // MARK: - Tables

    /// In ascending order.
    func packs() throws(Failure) -> [IndexedPack] {
        var packs: [IndexedPack] = []
        packs.reserveCapacity(shape.packs)
        unsafe try records(shape.packsStart, shape.packs, IndexShape.Record.pack) { record in
            let root = unsafe Digest(UnsafeRawBufferPointer(rebasing: record[..<32]))
            let origin = unsafe SessionID(reading: UnsafeRawBufferPointer(rebasing: record[32..<48]))
            let teller = unsafe SessionID(reading: UnsafeRawBufferPointer(rebasing: record[48..<64]))
            packs.append(IndexedPack(root: root, origin: origin, teller: teller))
        }
        return packs
    }

    package func segments() throws(Failure) -> [CoveredSegment] {
        var segments: [CoveredSegment] = []
        unsafe try records(shape.segmentsStart, shape.segments, IndexShape.Record.segment) { record in
            let digest = unsafe Digest(UnsafeRawBufferPointer(rebasing: record[..<32]))
            let teller = unsafe SessionID(reading: UnsafeRawBufferPointer(rebasing: record[32..<48]))
            let count = UInt64(bigEndian: unsafe record.loadUnaligned(fromByteOffset: 48, as: UInt64.self))
            segments.append(
                CoveredSegment(
                    digest: digest, teller: teller, entries: Int(truncatingIfNeeded: count)))
        }
        return segments
    }

    /// The first eight bytes of the first chunk of each block.
    func fences() throws(Failure) -> [UInt64] {
        var fences: [UInt64] = []
        fences.reserveCapacity(shape.entryBlocks)
        for group in 0..<shape.groups {
            unsafe try records(shape.fencesStart(of: group), shape.blocks(in: group), IndexShape.Record.fence) {
                fences.append(UInt64(bigEndian: unsafe $0.loadUnaligned(as: UInt64.self)))
            }
        }
        return fences
    }

    /// - Parameter words: that a line is folded to.
    func filter(words: Int) throws(Failure) -> IndexFilter {
        var filter = IndexFilter(words: words)
        guard words > 0 else { return filter }
        filter.reserve(shape.entryBlocks)
        for group in 0..<shape.groups {
            unsafe try records(shape.linesStart(of: group), shape.blocks(in: group), IndexShape.Record.line) {
                unsafe filter.append($0)
            }
        }
        return filter
    }

    private static let stretch = 64

    /// Calls `body` with each of `count` records of `size` bytes, of which blocks from `start` on are full.
    private func records(
        _ start: Int, _ count: Int, _ size: Int, _ body: (UnsafeRawBufferPointer) -> Void
    ) throws(Failure) {
        let each = IndexFile.payload / size
        let blocks = IndexShape.blocks(count, of: each)
        var left = count
        var problem: Failure?
        unsafe withUnsafeTemporaryAllocation(
            byteCount: min(Self.stretch, max(blocks, 1)) * IndexFile.blockSize, alignment: 16
        ) { buffer in
            for first in stride(from: 0, to: blocks, by: Self.stretch) {
                let many = min(Self.stretch, blocks - first)
                let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<(many * IndexFile.blockSize)])
                do throws(Failure) { try unsafe file.read(start + first, into: target) } catch {
                    problem = error
                    return
                }
                for block in 0..<many {
                    for record in 0..<min(each, left) {
                        let at = block * IndexFile.blockSize + record * size
                        unsafe body(UnsafeRawBufferPointer(rebasing: target[at..<at + size]))
                    }
                    left -= min(each, left)
                }
            }
        }
        if let problem { throw problem }
    }
}

/// Goes through the entries of a run in their order, a few blocks at a time.
struct IndexCursor {
    private let run: IndexRun
    /// What the run's packs are called by whoever reads.
    private let ordinals: [UInt32]
    private var buffer: [SegmentEntry] = []
    private var at = 0
    private var block = 0
    private static let stretch = 8

    /// - Parameter ordinals: for each pack of the run its number, `.max` for one whose entries are left out.
    init(_ run: IndexRun, ordinals: [UInt32]) {
        self.run = run
        self.ordinals = ordinals
    }

    mutating func next() throws(Failure) -> SegmentEntry? {
        while at == buffer.count {
            guard block < run.shape.entryBlocks else { return nil }
            try fill()
        }
        defer { at += 1 }
        return buffer[at]
    }

    private mutating func fill() throws(Failure) {
        let shape = run.shape
        let rest = shape.blocks(in: block / IndexShape.group) - block % IndexShape.group
        let many = min(Self.stretch, rest)
        buffer.removeAll(keepingCapacity: true)
        at = 0
        var problem: Failure?
        let (run, first) = (run, block)
        unsafe withUnsafeTemporaryAllocation(byteCount: many * IndexFile.blockSize, alignment: 16) { bytes in
            do throws(Failure) { try unsafe run.file.read(shape.place(of: first), into: bytes) } catch {
                problem = error
                return
            }
            for number in 0..<many {
                for position in 0..<shape.entries(in: first + number) {
                    let start = number * IndexFile.blockSize + position * SegmentEntry.byteCount
                    var entry = unsafe SegmentEntry(
                        UnsafeRawBufferPointer(rebasing: bytes[start..<start + SegmentEntry.byteCount]))
                    guard Int(entry.pack) < ordinals.count, ordinals[Int(entry.pack)] != .max else { continue }
                    entry.pack = ordinals[Int(entry.pack)]
                    buffer.append(entry)
                }
            }
        }
        if let problem { throw problem }
        block += many
    }
}

/// Writes a run from entries in ascending order.
struct IndexRunWriter {
    private let writer: IndexFileWriter
    private let owner: IndexOwner
    private var block: [UInt8] = []
    private var inBlock = 0
    private var fences: [UInt64] = []
    private var lines: [UInt64] = []
    private var last: SegmentEntry?
    private(set) var count = 0

    init(_ descriptor: consuming Descriptor, _ owner: IndexOwner, salt: [UInt8]) {
        writer = IndexFileWriter(descriptor, owner, salt: salt)
        self.owner = owner
        block = [UInt8](repeating: 0, count: IndexShape.Record.entries * SegmentEntry.byteCount)
        fences.reserveCapacity(IndexShape.group)
        lines.reserveCapacity(IndexShape.group * IndexFilter.storedWords)
    }

    /// What stands there already is left out.
    mutating func append(_ entry: SegmentEntry) throws(Failure) {
        if let last {
            if last == entry { return }
            assert(!SegmentEntry.isBefore(entry, last), "entries of a run come in ascending order")
        }
        last = entry
        if inBlock == 0 {
            if fences.count == IndexShape.group { try endGroup() }
            fences.append(entry.id.digest.words.0)
            for _ in 0..<IndexFilter.storedWords { lines.append(0) }
        }
        IndexFilter.add(entry.id, to: &lines, at: (fences.count - 1) * IndexFilter.storedWords)
        let start = inBlock * SegmentEntry.byteCount
        unsafe block.withUnsafeMutableBytes { bytes in
            unsafe entry.write(
                to: UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + SegmentEntry.byteCount]))
        }
        inBlock += 1
        count += 1
        if inBlock == IndexShape.Record.entries { try endBlock() }
    }

    mutating func finish(packs: [IndexedPack], segments: [CoveredSegment]) throws(Failure) -> IndexFile {
        if inBlock > 0 { try endBlock() }
        if !fences.isEmpty { try endGroup() }
        try table(packs.count, IndexShape.Record.packs) { bytes, position in
            packs[position].root.append(to: &bytes)
            packs[position].origin.append(to: &bytes)
            packs[position].teller.append(to: &bytes)
        }
        try table(segments.count, IndexShape.Record.segments) { bytes, position in
            segments[position].digest.append(to: &bytes)
            segments[position].teller.append(to: &bytes)
            Self.append(UInt64(segments[position].entries).bigEndian, to: &bytes)
        }
        let shape = IndexShape(entries: count, packs: packs.count, segments: segments.count)
        return try writer.finish(header: shape.bytes, owner)
    }

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: word) { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func endBlock() throws(Failure) {
        try put(block[..<(inBlock * SegmentEntry.byteCount)])
        inBlock = 0
    }

    private mutating func endGroup() throws(Failure) {
        let (fences, lines) = (fences, lines)
        try table(fences.count, IndexShape.Record.fences) { bytes, position in
            Self.append(fences[position].bigEndian, to: &bytes)
        }
        try table(fences.count, IndexShape.Record.lines) { bytes, position in
            let start = position * IndexFilter.storedWords
            for word in lines[start..<start + IndexFilter.storedWords] { Self.append(word.littleEndian, to: &bytes) }
        }
        self.fences.removeAll(keepingCapacity: true)
        self.lines.removeAll(keepingCapacity: true)
    }

    private func table(_ count: Int, _ each: Int, _ append: (inout [UInt8], Int) -> Void) throws(Failure) {
        var bytes: [UInt8] = []
        for first in stride(from: 0, to: count, by: each) {
            bytes.removeAll(keepingCapacity: true)
            for position in first..<min(first + each, count) { append(&bytes, position) }
            try put(bytes[...])
        }
    }

    private func put(_ bytes: ArraySlice<UInt8>) throws(Failure) {
        var problem: Failure?
        unsafe bytes.withUnsafeBytes { payload in
            do throws(Failure) { try unsafe writer.append(payload) } catch { problem = error }
        }
        if let problem { throw problem }
    }
}
