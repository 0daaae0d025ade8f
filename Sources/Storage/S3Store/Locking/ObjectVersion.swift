/// One of the versions that a versioned bucket keeps under a key.
struct ObjectVersion: Sendable, Equatable {
    var id: String
    var length: UInt64

    /// Asks for this one.
    var query: [(name: String, value: String)] { [("versionId", id)] }
}
