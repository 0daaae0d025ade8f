package import Platform

/// 32 bytes that writers and readers of a repository share: enough to deduplicate, not to read.
package struct WriterSecret: Sendable {
    /// Names chunks.
    package let idKey: HMACKey
    /// Seeds the boundary scanner: cuts under another key lie elsewhere.
    package let boundaryKey: [UInt8]
    /// Seals segments.
    package let indexKey: [UInt8]
    private let desktopKey: HMACKey
    /// For slots and grants only.
    package let secret: [UInt8]

    package init(_ secret: [UInt8], repository: RepositoryID) {
        func derive(_ label: String) -> [UInt8] {
            HKDF.derive(
                key: secret, salt: repository.digest.bytes, info: Array("breakwater writer \(label) v1".utf8), count: 32
            )
        }
        self.secret = secret
        idKey = HMACKey(derive("id"))
        boundaryKey = derive("boundary")
        indexKey = derive("index")
        desktopKey = HMACKey(derive("desktop"))
    }

    package func chunkID(contentHash: Digest) -> ChunkID { ChunkID(idKey.authenticate(contentHash)) }

    /// The desktop's name in the clear part of manifests.
    package func desktop(named name: String) -> DesktopID {
        let bytes = Array(name.utf8)
        return DesktopID(truncating: unsafe bytes.withUnsafeBytes { unsafe desktopKey.authenticate($0) })
    }
}
