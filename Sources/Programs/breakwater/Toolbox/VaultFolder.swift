import Glibc
import ObjectStore
import Platform
import Repository

/// What may lie in a directory before a repository is made in it, and that nothing else is made in a vault.
enum VaultFolder {
    /// A vault's own folders: an `init` that was cut short may have left them, and `Repository.create` looks into them.
    private static let own: Set<[UInt8]> = Set(
        (["tmp", StoreProbe.folder, "log", "origins"] + ObjectKind.allCases.map(\.folder)).map { Array($0.utf8) })
    /// What a new file system brings with it.
    private static let tolerated: Set<[UInt8]> = [Array("lost+found".utf8)]

    /// - Returns: whether it is empty.
    /// - Throws: `.refused` when the directory holds anything that is none of a vault's: a repository would hide among
    ///   it, and whoever cleans up the one would lose the other.
    static func requireVacant(_ path: String) throws(Failure) -> Bool {
        let entries = try Directory(at: path).sortedEntries()
        let strangers = entries.filter { entry in
            let isOwn = own.contains(entry.name) && [.directory, .unknown].contains(entry.kind)
            return !isOwn && !tolerated.contains(entry.name)
        }
        guard let first = strangers.first else { return entries.isEmpty }
        let others = strangers.count > 1 ? " and \(Words.count(UInt64(strangers.count - 1), "other", "others"))" : ""
        throw Failure(
            .refused, "\(path) is not empty: it holds \(String(decoding: first.name, as: UTF8.self))\(others)",
            advice: "Nothing was changed. Name an empty directory, or one that does not exist yet.")
    }

    // MARK: - Not in a vault

    /// The path that an argument means, for something that is to be made there.
    /// - Throws: what `requireOutside` throws.
    static func pathOutside(_ text: String) throws(Failure) -> AbsolutePath {
        let path = try RawArguments.path(text)
        try requireOutside(path.bytes)
        return path
    }

    /// Sees, before anything is written, that what is to be made at a path does not come to lie in a vault: a check would
    /// take it for a stranger, and whoever cleans up the one would lose the other.
    ///
    /// A directory that cannot be looked into is passed over: nothing could be made below it either.
    /// - Parameter isVault: a vault is to be there, and may be already: only what it lies in is looked at.
    /// - Throws: `.refused` when the path, or what is there of it, leads to a vault or into one.
    static func requireOutside(_ path: [UInt8], isVault: Bool = false) throws(Failure) {
        let start = path.first == slash ? [slash] : [UInt8(ascii: "."), slash]
        let parts = path.split(separator: slash)
        // Links lead elsewhere: what is there already is looked at where it really lies.
        for count in stride(from: parts.count, through: 0, by: -1) {
            guard var place = real(start + Array(parts.prefix(count).joined(separator: [slash]))) else { continue }
            if isVault, count == parts.count { _ = place.components.popLast() }
            while try !holdsVault(place) { if place.components.popLast() == nil { return } }
            throw Failure(
                .refused, "\(String(decoding: path, as: UTF8.self)) is in \(place), which is a vault",
                advice: "Nothing was written. Name a place outside of it.")
        }
    }

    /// The path without each `..` that takes away a part before it that is not there. To make a directory the system would
    /// make that part first, and until then nothing behind it could be looked at. What is there is left to the system, since
    /// a link leads elsewhere.
    static func settled(_ path: String) -> String {
        let (current, parent) = ([UInt8(ascii: ".")], [UInt8(ascii: "."), UInt8(ascii: ".")])
        let bytes = Array(path.utf8)
        let start: [UInt8] = bytes.first == slash ? [slash] : []
        var (parts, lacking, isChanged): ([[UInt8]], Int, Bool) = ([], 0, false)
        for part in bytes.split(separator: slash).map(Array.init) where part != current {
            if part == parent, lacking > 0, parts.last != parent {
                parts.removeLast()
                lacking -= 1
                isChanged = true
                continue
            }
            parts.append(part)
            let place = start + Array(parts.joined(separator: [slash]))
            if lacking > 0 || !isThere(place) { lacking += 1 }
        }
        guard isChanged else { return path }
        return parts.isEmpty && start.isEmpty
            ? "." : String(decoding: start + Array(parts.joined(separator: [slash])), as: UTF8.self)
    }

    private static let slash = UInt8(ascii: "/")

    /// Without links; nil where nothing is.
    private static func real(_ path: [UInt8]) -> AbsolutePath? {
        unsafe Name.with(path) { name in
            guard let found = unsafe realpath(name, nil) else { return nil }
            defer { unsafe free(found) }
            return unsafe AbsolutePath(Array(UnsafeRawBufferPointer(start: found, count: strlen(found))))
        }
    }

    private static func isThere(_ path: [UInt8]) -> Bool { unsafe Name.with(path) { unsafe access($0, F_OK) == 0 } }

    /// By its genesis, or by any object but a pack, whose names nothing else bears: one that lost its genesis can be repaired.
    private static func holdsVault(_ place: AbsolutePath) throws(Failure) -> Bool {
        let genesis = place.bytes + [slash] + Array(try Record.key(0).text.utf8)
        if isThere(genesis) { return true }
        return ObjectKind.allCases.contains { kind in
            guard let folder = try? Directory(at: place.bytes + [slash] + Array(kind.folder.utf8)),
                let entries = try? folder.entries()
            else { return false }
            return entries.contains { entry in
                ObjectName(path: "\(kind.folder)/" + String(decoding: entry.name, as: UTF8.self)) != nil
            }
        }
    }
}
