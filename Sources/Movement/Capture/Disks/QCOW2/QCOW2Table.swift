import Platform

/// An L2 table of a qcow2 image, checked: where each cluster of a stretch of the disk is, or each 32nd part of it where the
/// image has subclusters.
struct QCOW2Table {
    enum Unit: Equatable {
        /// The image says nothing.
        case nothing
        case zeros
        /// At this place of the file.
        case data(UInt64)
        /// It lies in a cluster that is compressed.
        case packed(Packed)
    }

    struct Packed: Equatable {
        /// Of the file.
        var place: UInt64
        /// Bytes from there on in which it is.
        var count: Int
    }

    /// Bytes of the disk that an element tells of.
    let unit: UInt64
    /// Of the file, that it refers to; those that are compressed do not count.
    private(set) var clusters: UInt64 = 0
    private let words: [UInt64]
    private let header: QCOW2Header
    private let fileSize: UInt64

    private static let subclusters = 32
    private static let isCompressed: UInt64 = 1 << 62
    private static let isZero: UInt64 = 1
    private static let place: UInt64 = 0x00FF_FFFF_FFFF_FE00
    /// In an L2 entry that is not compressed; in an L1 entry the lowest is reserved, too.
    private static let reserved: UInt64 = 0x3F00_0000_0000_01FE

    /// - Parameter length: bytes of the disk, from where the table begins, that are there.
    /// - Throws: `.damaged` when an entry makes no sense, or says of something that it lies past the end of the file.
    init(
        _ file: ImageFile, _ header: QCOW2Header, at place: UInt64, number: Int, covering length: UInt64
    ) throws(Failure) {
        self.header = header
        fileSize = file.size
        unit = header.hasSubclusters ? header.cluster / UInt64(Self.subclusters) : header.cluster
        let count = Int((length + header.cluster - 1) / header.cluster)
        words = try Self.words(file, at: place, count: count * header.entry / 8)
        for entry in 0..<count {
            let left = length - UInt64(entry) * header.cluster
            guard let isReferring = check(entry, left: min(left, header.cluster)) else {
                let word = String(words[entry * header.entry / 8], radix: 16)
                throw file.damaged("entry \(entry) of its L2 table \(number) is \(word)")
            }
            if isReferring { clusters += 1 }
        }
    }

    /// The L1 table: where each L2 table begins, 0 where there is none.
    static func l1(_ file: ImageFile, _ header: QCOW2Header) throws(Failure) -> [UInt64] {
        let words = try words(file, at: header.l1.offset, count: header.l1.count)
        var tables: [UInt64] = []
        for (number, word) in words.enumerated() {
            let table = word & place
            guard word & (reserved | isZero | isCompressed) == 0, table % header.cluster == 0,
                table <= file.size, table == 0 || header.cluster <= file.size - table
            else { throw file.damaged("entry \(number) of its L1 table is \(String(word, radix: 16))") }
            tables.append(table)
        }
        let sorted = tables.sorted()
        for (one, next) in zip(sorted, sorted.dropFirst()) where one == next && one != 0 {
            throw file.damaged("its L1 table names the L2 table at \(one) twice")
        }
        return tables
    }

    private static func words(_ file: ImageFile, at place: UInt64, count: Int) throws(Failure) -> [UInt64] {
        let bytes = try file.bytes(at: place, count: count * 8)
        return (0..<count).map { index in bytes[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    }

    // MARK: - Units

    /// Of those that lie in the disk, wholly or in part.
    var count: Int { words.count / (header.entry / 8) * Int(header.cluster / unit) }

    subscript(_ number: Int) -> Unit {
        let entry = header.hasSubclusters ? number / Self.subclusters * 2 : number
        let word = words[entry]
        if let packed = packed(word) { return .packed(packed) }
        guard header.hasSubclusters else {
            if word & Self.isZero == 1 { return .zeros }
            return word & Self.place == 0 ? .nothing : .data(word & Self.place)
        }
        let (part, marks) = (UInt64(number % Self.subclusters), words[entry + 1])
        if marks >> (part + 32) & 1 == 1 { return .zeros }
        return marks >> part & 1 == 1 ? .data(word & Self.place + part * unit) : .nothing
    }

    /// A compressed cluster's entry says at which byte it begins and in how many further sectors it goes on.
    private func packed(_ word: UInt64) -> Packed? {
        guard word & Self.isCompressed != 0 else { return nil }
        let bits = UInt64(62 - (header.clusterBits - 8))
        let place = word & (1 << bits - 1)
        let sectors = (word & (Self.isCompressed - 1)) >> bits + 1
        let end = place / QCOW2.sector * QCOW2.sector + sectors * QCOW2.sector
        return Packed(place: place, count: Int(min(end, max(fileSize, place)) - place))
    }

    // MARK: - Checking

    /// Whether the entry, of a cluster of which `left` bytes are in the disk, refers to a cluster of the file; nil when it
    /// makes no sense.
    private func check(_ entry: Int, left: UInt64) -> Bool? {
        let word = words[entry * header.entry / 8]
        if word & Self.isCompressed != 0 {
            guard let packed = packed(word), packed.count > 0 else { return nil }
            return !header.hasSubclusters || words[entry * 2 + 1] == 0 ? false : nil
        }
        let place = word & Self.place
        guard word & Self.reserved == 0, place % header.cluster == 0 else { return nil }
        func isInFile(_ count: UInt64) -> Bool { place <= fileSize && count <= fileSize - place }
        guard header.hasSubclusters else {
            if word & Self.isZero == 1 { return header.knowsZeros ? false : nil }
            guard place != 0 else { return false }
            return isInFile(left) ? true : nil
        }
        let marks = words[entry * 2 + 1]
        let (allocated, zeros) = (UInt32(truncatingIfNeeded: marks), UInt32(truncatingIfNeeded: marks >> 32))
        guard word & Self.isZero == 0, allocated & zeros == 0, place != 0 || allocated == 0 else { return nil }
        let parts = UInt64(UInt32.bitWidth - allocated.leadingZeroBitCount)
        return isInFile(min(parts * unit, left)) ? allocated != 0 : nil
    }
}
