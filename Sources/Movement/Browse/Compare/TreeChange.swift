package import Repository

/// One name that two trees have differently.
package struct TreeChange: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case added, removed
        /// The same kind of file with other content or other attributes.
        case changed
        /// Another kind of file: what lay in a directory before or lies in one now follows as removed or added.
        case retyped
    }

    /// What a file system says of a file besides its content.
    package enum Attribute: String, Sendable {
        case mode, owner, group, modified, extendedAttributes
    }

    package var kind: Kind
    /// From the root, without a slash at either end.
    package var path: [UInt8]
    /// Nil for what was added.
    package var before: TreeEntry?
    /// Nil for what was removed.
    package var after: TreeEntry?
    /// Bytes, the target of a symbolic link, or the number of a device differ; of a directory, never.
    package var hasOtherContent = false
    package var attributes: [Attribute] = []

    /// Nil when nothing differs.
    init?(path: [UInt8], from before: TreeEntry, to after: TreeEntry) {
        self.path = path
        self.before = before
        self.after = after
        kind = before.kind == after.kind ? .changed : .retyped
        if before.kind != .directory, kind == .changed {
            hasOtherContent =
                before.content != after.content || before.target != after.target || before.device != after.device
        }
        if before.mode != after.mode { attributes.append(.mode) }
        if before.owner != after.owner { attributes.append(.owner) }
        if before.group != after.group { attributes.append(.group) }
        if before.modified != after.modified { attributes.append(.modified) }
        if before.extendedAttributes != after.extendedAttributes { attributes.append(.extendedAttributes) }
        if kind == .changed, !hasOtherContent, attributes.isEmpty { return nil }
    }

    init(added entry: TreeEntry, path: [UInt8]) {
        (kind, self.path, after) = (.added, path, entry)
    }

    init(removed entry: TreeEntry, path: [UInt8]) {
        (kind, self.path, before) = (.removed, path, entry)
    }
}
