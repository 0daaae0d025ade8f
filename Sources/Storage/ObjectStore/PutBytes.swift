package import Platform

extension ObjectStore {
    /// Puts the bytes of an array.
    package func put(_ key: StoreKey, _ bytes: [UInt8], use: StoreUse) throws(Failure) {
        try unsafe put(key, bytes.span.bytes, use: use)
    }
}
