package import ObjectStore

/// What of a vault lies in its locked bucket, and how an object there is known to be the one that was put under its name.
package struct LockedNames: Sendable {
    /// First components of keys.
    let folders: Set<String>
    /// No object in these folders is longer.
    let longest: UInt64
    /// Whether bytes are what a key promises.
    let isRight: @Sendable (StoreKey, [UInt8]) -> Bool

    package init(
        folders: Set<String>, longest: UInt64, isRight: @escaping @Sendable (StoreKey, [UInt8]) -> Bool
    ) {
        self.folders = folders
        self.longest = longest
        self.isRight = isRight
    }

    func contains(_ key: StoreKey) -> Bool { folders.contains(Self.folder(key.text)) }

    static func folder(_ text: String) -> String { String(text.prefix { $0 != "/" }) }
}
