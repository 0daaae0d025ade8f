/// A disk under the name that clients ask for.
package struct NBDExport: Sendable {
    package var name: String
    package var description: String
    package var source: any BlockSource

    package init(name: String, description: String = "", source: any BlockSource) {
        self.name = name
        self.description = description
        self.source = source
    }
}

/// What a server lets its clients take of it.
package struct NBDLimits: Sendable {
    package var connections = 32
    /// Requests of one connection that are worked on at the same time.
    package var workers = 4
    /// How long a client may take over its handshake.
    package var handshake: Duration = .seconds(30)
    /// How long a client may leave an answer unread, or a request half sent.
    package var patience: Duration = .seconds(60)

    package init() {}
}
