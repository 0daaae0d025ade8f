package import Catalog
package import Logging
package import Model
import Orchestration
package import Platform
import Synchronization
package import Wire

/// Decides: who works on what, under which lease, with which keys, and what follows from the result.
///
/// Every decision is one transaction of the catalog: load, apply an event to a pure machine, save, journal. Only then
/// is anybody woken. Nothing that matters is in memory, so a coordinator that is killed goes on where its catalog is.
package final class Coordinator: Sendable {
    package struct Settings: Sendable {
        /// How long a lease lasts after a heartbeat.
        package var leaseSeconds: Int
        /// How often leases are looked at.
        package var tickMilliseconds: Int
        /// Where agents reach their listener: `https://host:port`.
        package var agentsAddress: String?
        /// Opens a key slot in every new vault, so that repositories can be read without a coordinator.
        package var escrowPassphrase: [UInt8]?

        package init(
            leaseSeconds: Int = 30, tickMilliseconds: Int = 1000, agentsAddress: String? = nil,
            escrowPassphrase: [UInt8]? = nil
        ) {
            self.leaseSeconds = leaseSeconds
            self.tickMilliseconds = tickMilliseconds
            self.agentsAddress = agentsAddress
            self.escrowPassphrase = escrowPassphrase
        }
    }

    package let catalog: Catalog
    let keyring: Keyring
    let authority: CertificateAuthority
    let settings: Settings
    let surroundings: Surroundings
    let logger: Logger
    let bell = Bell()
    let polls = Polls()
    private let listening = Mutex<String?>(nil)

    package init(
        catalog: Catalog, keyring: Keyring, authority: CertificateAuthority, settings: Settings,
        surroundings: Surroundings, logger: Logger
    ) {
        self.catalog = catalog
        self.keyring = keyring
        self.authority = authority
        self.settings = settings
        self.surroundings = surroundings
        self.logger = logger
    }

    /// Takes up the catalog after a stop or a crash.
    ///
    /// 1. The declared sites are written down.
    /// 2. Leases are good for as long again: while nobody listened, no heartbeat could be heard.
    package func takeUp(sites: [Site]) async throws(Failure) {
        try Self.check(sites)
        let now = surroundings.now()
        let seconds = settings.leaseSeconds
        let resumed = try await catalog.write { writing in
            let known = try Dictionary(uniqueKeysWithValues: writing.reading.sites().map { ($0.id, $0) })
            for site in sites where known[site.id] != site {
                try writing.save(site)
                try writing.journal(
                    JournalEvent(
                        when: now, actor: .coordinator, what: "site.declared", subject: site.id.text,
                        details: ["vault": site.vault.path, "address": site.address]))
            }
            let open = try writing.reading.openJobs()
            for job in open where job.state.lease != nil {
                try Transition.apply(.resumed(seconds: seconds), to: job.id, in: writing, now: now, by: .coordinator)
            }
            try writing.journal(
                JournalEvent(
                    when: now, actor: .coordinator, what: "coordinator.started", subject: "coordinator",
                    details: ["openJobs": "\(open.count)"]))
            return open.count
        }
        logger.info("The catalog is taken up", metadata: ["sites": "\(sites.count)", "openJobs": "\(resumed)"])
    }

    private static func check(_ sites: [Site]) throws(Failure) {
        let ids = Set(sites.map(\.id))
        guard !sites.isEmpty, ids.count == sites.count else {
            throw Failure(.usage, "Sites are missing, or two have one id")
        }
        for site in sites {
            try site.check()
            if let peer = site.peer, !ids.contains(peer) {
                throw Failure(.usage, "Site \(site.id) names the peer \(peer), which is not declared")
            }
        }
    }

    /// Where agents are told to call; known at the latest once the server listens.
    var agentsAddress: String { settings.agentsAddress ?? listening.withLock { $0 } ?? "" }

    func agentsListen(at address: String) { listening.withLock { $0 = address } }

    package func close() throws(Failure) { try catalog.close() }

    /// Holds an answer until `isReady` says so or the time is over; looks again whenever `topic` rings.
    func held<T: Sendable>(
        _ topic: Bell.Topic, seconds: Int, _ look: @Sendable () async throws(Failure) -> T,
        until isReady: @Sendable (T) -> Bool
    ) async throws(Failure) -> T {
        let patience = UInt64(max(0, min(seconds, AgentRoute.longestPollSeconds))) * 1_000_000_000
        let start = surroundings.uptime()
        return try await bell.listen(to: topic) { (ear) async throws(Failure) -> T in
            while true {
                let seen = try await look()
                let waited = surroundings.uptime() &- start
                if isReady(seen) || waited >= patience { return seen }
                guard await ear.wait(nanoseconds: patience - waited) else { return try await look() }
            }
        }
    }
}
