import Glibc
import Platform
import Repository

/// Sets what a snapshot says of a file besides its content.
///
/// 1. The owner: changing it clears set-user-id and capabilities, so it comes first.
/// 2. Extended attributes and access control lists, while the mode still lets the owner write.
/// 3. The mode. Without its owner a file never gets set-user-id or set-group-id: it would lend the rights of whoever
///    restores.
/// 4. The time, which all of the above would change.
struct Metadata {
    /// The target lies where new files inherit access control lists.
    let inherits: Bool
    let report: (_ path: String, Failure) -> Void

    private static let accessList = Array("system.posix_acl_access".utf8)
    private static let defaultList = Array("system.posix_acl_default".utf8)

    /// - Parameter leads: it is one of the `LeadingDirectories`, whose owner only root has to bring back.
    func apply(_ entry: TreeEntry, to number: Int32, located: Bool, path: String, leads: Bool = false) {
        let file = FileAttributes(of: number, located: located, label: path)
        // 1.
        var mode = entry.mode
        do throws(Failure) {
            try setOwner(entry, file, number, path)
        } catch {
            mode &= ~0o6000
            if !leads || error.code != .refused || geteuid() == 0 { report(path, error) }
        }
        // 2.
        if inherits, entry.kind != .symbolicLink { removeInherited(entry, file, path) }
        for attribute in entry.extendedAttributes {
            attempt(path) { () throws(Failure) in
                try file.set(FileAttributes.Extended(name: attribute.name, value: attribute.value))
            }
        }
        // 3.
        if entry.kind != .symbolicLink { attempt(path) { () throws(Failure) in try file.setMode(mode) } }
        // 4.
        attempt(path) { () throws(Failure) in
            try file.setModified(seconds: entry.modified.seconds, nanoseconds: entry.modified.nanoseconds)
        }
    }

    /// Whether a file has the owner and mode of an entry, as far as this process could give it them.
    static func isSet(_ entry: TreeEntry, _ status: FileStatus) -> Bool {
        let isRoot = geteuid() == 0
        let bits: UInt32 = isRoot ? 0o7777 : 0o1777
        return status.mode & bits == entry.mode & bits
            && (!isRoot || status.owner == entry.owner && status.group == entry.group)
    }

    private func setOwner(
        _ entry: TreeEntry, _ file: FileAttributes, _ number: Int32, _ path: String
    ) throws(Failure) {
        let status = try FileStatus(of: number, label: path)
        if status.owner == entry.owner && status.group == entry.group { return }
        try file.setOwner(entry.owner, group: entry.group)
    }

    private func removeInherited(_ entry: TreeEntry, _ file: FileAttributes, _ path: String) {
        for name in [Self.accessList, Self.defaultList]
        where !entry.extendedAttributes.contains(where: { $0.name == name }) {
            if name == Self.defaultList && entry.kind != .directory { continue }
            attempt(path) { () throws(Failure) in try file.remove(extended: name) }
        }
    }

    private func attempt(_ path: String, _ body: () throws(Failure) -> Void) {
        do throws(Failure) { try body() } catch { report(path, error) }
    }
}
