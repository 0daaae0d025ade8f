import Platform
import Repository

/// A disk in a qcow2 image, as the tables in use map it; snapshots inside the image are not looked at.
///
/// One L2 table and one cluster that was compressed are held, besides the L1 table. A table is checked when it is loaded,
/// so that what is read by it lies in the file. Work is bounded by the file: no L2 table serves twice, and the tables
/// refer to no more clusters, and to no more compressed bytes, than the file has.
final class QCOW2Disk: DiskSource {
    let size: UInt64
    private let file: ImageFile
    private let header: QCOW2Header
    private let backing: (any DiskSource)?
    /// Where L2 tables begin; 0: there is none.
    private let l1: [UInt64]
    private var table: (number: Int, entries: QCOW2Table)?
    /// Clusters of the file that the tables before `uncountedTable` refer to.
    private var clusters: UInt64 = 0
    private var uncountedTable = 0
    /// Compressed bytes that the clusters before `uncountedCluster` took.
    private var packedBytes: UInt64 = 0
    private var uncountedCluster: UInt64 = 0
    /// The cluster of the disk that was decompressed last.
    private var unpacked: (number: UInt64, bytes: [UInt8])?
    private let zstd = ZstdDecompressor()

    /// - Throws: `.damaged` when the L1 table makes no sense.
    init(_ file: ImageFile, _ header: QCOW2Header, backing: (any DiskSource)?) throws(Failure) {
        self.file = file
        self.header = header
        self.backing = backing
        size = header.size
        l1 = try QCOW2Table.l1(file, header)
    }

    func changedFiles() throws(Failure) -> [AbsolutePath] {
        let below = try backing?.changedFiles() ?? []
        return try file.hasChanged() ? [file.path] + below : below
    }

    // MARK: - Stretches

    private enum Stretch: Equatable {
        case zeros
        /// At this place of the file.
        case data(UInt64)
        case packed(QCOW2Table.Packed)
        /// What the image builds upon says.
        case below
    }

    /// What the disk holds at a place, and where a stretch of that ends. Stretches are not looked at past `limit`, nor past
    /// the end of a table.
    private func stretch(at offset: UInt64, limit: UInt64) throws(Failure) -> (holds: Stretch, end: UInt64) {
        let number = Int(offset / header.reach)
        let start = UInt64(number) * header.reach
        guard l1[number] != 0 else { return (backing == nil ? .zeros : .below, min(start + header.reach, limit)) }
        let entries = try load(number)
        let unit = entries.unit
        let first = Int((offset - start) / unit)
        let inside = (offset - start) % unit
        let last = min(entries.count, Int((limit - start + unit - 1) / unit))
        var end = first + 1
        let holds: Stretch
        switch entries[first] {
        case .packed(let packed):
            let cluster = offset / header.cluster
            return (.packed(packed), min((cluster + 1) * header.cluster, limit))
        case .data(let place):
            holds = .data(place + inside)
            while end < last, entries[end] == .data(place + UInt64(end - first) * unit) { end += 1 }
        case .zeros:
            holds = .zeros
            while end < last, entries[end] == .zeros { end += 1 }
        case .nothing:
            holds = backing == nil ? .zeros : .below
            while end < last, entries[end] == .nothing { end += 1 }
        }
        return (holds, min(start + UInt64(end) * unit, limit))
    }

    private func load(_ number: Int) throws(Failure) -> QCOW2Table {
        if let table, table.number == number { return table.entries }
        let left = size - UInt64(number) * header.reach
        let entries = try QCOW2Table(file, header, at: l1[number], number: number, covering: min(header.reach, left))
        if number >= uncountedTable {
            uncountedTable = number + 1
            clusters += entries.clusters
            guard clusters <= file.size / header.cluster + 1 else {
                throw file.damaged("its tables refer to more than there is, so that something is referred to twice")
            }
        }
        table = (number, entries)
        return entries
    }

    // MARK: - Reading

    func nextData(in range: Range<UInt64>) throws(Failure) -> Range<UInt64>? {
        var at = range.lowerBound
        while at < range.upperBound {
            let (holds, end) = try stretch(at: at, limit: range.upperBound)
            switch holds {
            case .zeros: break
            case .packed: return at..<end
            case .data(let place):
                // What was allocated and never written lies in a hole of the file.
                if let found = try file.nextData(in: place..<place + (end - at)) {
                    return at + (found.lowerBound - place)..<at + (found.upperBound - place)
                }
            case .below:
                if let backing, at < backing.size, let found = try backing.nextData(in: at..<min(end, backing.size)) {
                    return found
                }
            }
            at = end
        }
        return nil
    }

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        var done = 0
        while done < target.count {
            let at = offset + UInt64(done)
            let (holds, end) = try stretch(at: at, limit: offset + UInt64(target.count))
            let count = Int(end - at)
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
            switch holds {
            case .zeros: unsafe room.initializeMemory(as: UInt8.self, repeating: 0)
            case .data(let place): try unsafe file.read(at: place, into: room)
            case .packed(let packed):
                let bytes = try unpack(packed, cluster: at / header.cluster)
                let inside = Int(at % header.cluster)
                unsafe bytes.withUnsafeBytes { source in
                    unsafe room.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[inside..<inside + count]))
                }
            case .below: try unsafe readBelow(at: at, into: room)
            }
            done += count
        }
    }

    /// What the image builds upon may be shorter: past its end there are zeros.
    private func readBelow(at offset: UInt64, into room: UnsafeMutableRawBufferPointer) throws(Failure) {
        let length = backing?.size ?? 0
        let count = offset < length ? Int(min(UInt64(room.count), length - offset)) : 0
        try unsafe backing?.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: room[..<count]))
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[count...]).initializeMemory(as: UInt8.self, repeating: 0)
    }

    private func unpack(_ packed: QCOW2Table.Packed, cluster number: UInt64) throws(Failure) -> [UInt8] {
        if let unpacked, unpacked.number == number { return unpacked.bytes }
        let source = try file.bytes(at: packed.place, count: packed.count)
        var problem: Failure?
        var used = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(header.cluster)) { buffer, filled in
            let room = UnsafeMutableRawBufferPointer(buffer)
            unsafe source.withUnsafeBytes { source in
                do throws(Failure) {
                    switch header.compression {
                    case .zlib: used = try unsafe Deflate.decompress(source, filling: room)
                    case .zstd: used = try unsafe zstd.decompressFrame(source, filling: room)
                    }
                    filled = room.count
                } catch { problem = error }
            }
        }
        if let problem {
            throw file.damaged("cluster \(number) of its disk cannot be decompressed (\(problem.what))")
        }
        if number >= uncountedCluster {
            uncountedCluster = number + 1
            packedBytes += UInt64(used)
            guard packedBytes <= file.size else {
                throw file.damaged("it refers to more compressed bytes than there are, so that some serve twice")
            }
        }
        unpacked = (number, bytes)
        return bytes
    }
}
