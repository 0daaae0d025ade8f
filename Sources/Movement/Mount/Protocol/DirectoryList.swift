import Repository

/// Entries of a directory as the kernel wants them, as many as there is room for.
struct DirectoryList {
    private let room: Int
    private let isPlus: Bool
    private(set) var fields = FuseFields()

    /// - Parameter isPlus: with what stat(2) says of each.
    init(room: Int, isPlus: Bool) {
        self.room = room
        self.isPlus = isPlus
    }

    private func hasRoom(for name: [UInt8]) -> Bool {
        let length = FuseFields.directoryEntryByteCount(name) + (isPlus ? FuseFields.entryByteCount : 0)
        return fields.bytes.count + length <= room
    }

    /// `.` or `..`, of which the kernel knows all it needs. False when there is no room.
    mutating func addSelf(_ name: [UInt8], inode: UInt64) -> Bool {
        guard hasRoom(for: name) else { return false }
        // Node 0 is nothing to be held.
        if isPlus { fields.zeros(FuseFields.entryByteCount) }
        fields.directoryEntry(name, inode: inode, type: TreeEntry.Kind.directory.bits >> 12, next: UInt64(name.count))
        return true
    }

    /// - Parameter hold: gives the node's number, which the kernel holds from then on; called only when there is room.
    mutating func add(_ name: [UInt8], _ facts: FileFacts, next: UInt64, hold: () -> (number: UInt64, facts: FileFacts))
        -> Bool
    {
        guard hasRoom(for: name) else { return false }
        var facts = facts
        if isPlus {
            let held = hold()
            facts = held.facts
            fields.entryAnswer(held.number, facts)
        }
        fields.directoryEntry(name, inode: facts.inode, type: facts.type, next: next)
        return true
    }
}
