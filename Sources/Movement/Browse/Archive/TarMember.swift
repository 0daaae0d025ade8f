import Platform
import Repository

/// The headers of one member of an archive: an extended header where one is needed, then the fixed one (POSIX.1-2017,
/// pax, "ustar Interchange Format").
struct TarMember {
    enum Form {
        case file
        /// Only the pieces that are not holes follow, behind a map of them (GNU tar, "Storing Sparse Files", 1.0).
        case sparse
        /// Another name of the member at `target`.
        case link(target: [UInt8])
    }

    static let block = 512

    let path: [UInt8]
    let entry: TreeEntry
    var form = Form.file
    /// Bytes that follow the headers.
    var stored: UInt64 = 0

    /// What the eleven octal digits of a size or a time hold, and the seven of an owner or a device.
    private static let most11: UInt64 = 0o77_777_777_777
    private static let most7: UInt64 = 0o7_777_777

    /// Why tar cannot hold it; nil when it can.
    static func objection(to entry: TreeEntry) -> Failure? {
        switch entry.kind {
        case .blockDevice, .characterDevice:
            let (major, minor) = numbers(of: entry.device)
            return major > most7 || minor > most7
                ? Failure(.damaged, "the device's number \(entry.device) is none that tar can hold") : nil
        case .symbolicLink:
            return entry.target.isEmpty || entry.target.contains(0)
                ? Failure(.damaged, "the symbolic link points nowhere") : nil
        default: return nil
        }
    }

    var headers: [UInt8] {
        var records = PaxRecords()
        let isLink = if case .link = form { true } else { false }
        let name = path + (entry.kind == .directory ? [UInt8(ascii: "/")] : [])
        let target = if case .link(let target) = form { target } else { entry.target }
        // Values are UTF-8 unless this is said first.
        if [name, target].contains(where: { !Self.isText($0) }) { records.add("hdrcharset", "BINARY") }
        if case .sparse = form {
            records.add("GNU.sparse.major", "1")
            records.add("GNU.sparse.minor", "0")
            records.add("GNU.sparse.name", name)
            records.add("GNU.sparse.realsize", String(entry.size))
        } else if !Self.fits(name) {
            records.add("path", name)
        }
        if !target.isEmpty, !Self.fits(target) { records.add("linkpath", target) }
        if stored > Self.most11 { records.add("size", String(stored)) }
        if entry.owner > Self.most7 { records.add("uid", String(entry.owner)) }
        if entry.group > Self.most7 { records.add("gid", String(entry.group)) }
        let hasPlainTime =
            entry.modified.nanoseconds == 0 && entry.modified.seconds >= 0 && entry.modified.seconds <= Self.most11
        if !hasPlainTime { records.add("mtime", entry.modified) }
        if !isLink { addAttributes(to: &records) }
        var out: [UInt8] = []
        if !records.isEmpty {
            let label = Array("PaxHeaders/".utf8) + path
            out += fixed(label, type: "x", size: UInt64(records.bytes.count), target: [], isExtension: true)
            out += records.bytes
            Self.pad(&out)
        }
        let plain = if case .sparse = form { Array("GNUSparseFile.0/".utf8) + path } else { name }
        return out + fixed(plain, type: type, size: stored, target: target, isExtension: false)
    }

    private func addAttributes(to records: inout PaxRecords) {
        for attribute in entry.extendedAttributes where !attribute.name.isEmpty && !attribute.name.contains(0) {
            records.add(attribute)
            // The same list once more as text, for `tar --acls`.
            guard let text = AccessListText.text(attribute.value) else { continue }
            switch String(decoding: attribute.name, as: UTF8.self) {
            case "system.posix_acl_access": records.add("SCHILY.acl.access", text)
            case "system.posix_acl_default": records.add("SCHILY.acl.default", text)
            default: break
            }
        }
    }

    private var type: Character {
        if case .link = form { return "1" }
        return switch entry.kind {
        case .file, .socket: "0"
        case .symbolicLink: "2"
        case .characterDevice: "3"
        case .blockDevice: "4"
        case .directory: "5"
        case .fifo: "6"
        }
    }

    // MARK: - The fixed header

    private func fixed(
        _ name: [UInt8], type: Character, size: UInt64, target: [UInt8], isExtension: Bool
    ) -> [UInt8] {
        var header: [UInt8] = []
        func text(_ bytes: [UInt8], _ width: Int) {
            let cut = bytes.prefix(width)
            header += cut + [UInt8](repeating: 0, count: width - cut.count)
        }
        /// Octal digits with a NUL behind them; 0 for what stands in the extended header.
        func number(_ value: UInt64, _ width: Int, atMost most: UInt64) {
            let digits = String(value > most ? 0 : value, radix: 8)
            header += Array((String(repeating: "0", count: width - 1 - digits.count) + digits).utf8) + [0]
        }
        text(name, 100)
        number(isExtension ? 0o600 : UInt64(entry.mode), 8, atMost: Self.most7)
        number(UInt64(entry.owner), 8, atMost: Self.most7)
        number(UInt64(entry.group), 8, atMost: Self.most7)
        number(size, 12, atMost: Self.most11)
        number(UInt64(clamping: entry.modified.seconds), 12, atMost: Self.most11)
        header += [UInt8](repeating: UInt8(ascii: " "), count: 8)
        header += Array(String(type).utf8)
        text(target, 100)
        header += Array("ustar\0".utf8) + Array("00".utf8)
        text([], 64)
        let isDevice = type == "3" || type == "4"
        let (major, minor) = isDevice ? Self.numbers(of: entry.device) : (0, 0)
        number(major, 8, atMost: Self.most7)
        number(minor, 8, atMost: Self.most7)
        text([], 155 + 12)
        let sum = header.reduce(0) { $0 + Int($1) }
        let digits = String(sum, radix: 8)
        let checksum = Array((String(repeating: "0", count: 6 - digits.count) + digits).utf8) + [0, UInt8(ascii: " ")]
        header.replaceSubrange(148..<156, with: checksum)
        return header
    }

    /// Of the kernel's `dev_t`, as makedev(3) of the C library packs it.
    private static func numbers(of device: UInt64) -> (major: UInt64, minor: UInt64) {
        (device >> 8 & 0xFFF | device >> 32 & ~0xFFF, device & 0xFF | device >> 12 & ~0xFF)
    }

    private static func fits(_ bytes: [UInt8]) -> Bool { bytes.count <= 100 && bytes.allSatisfy { $0 < 0x80 } }

    private static func isText(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

    /// Zeros up to the next block.
    static func pad(_ bytes: inout [UInt8]) {
        bytes += [UInt8](repeating: 0, count: (block - bytes.count % block) % block)
    }

    static func padding(after count: UInt64) -> [UInt8] {
        [UInt8](repeating: 0, count: (block - Int(count % UInt64(block))) % block)
    }
}
