internal import ObjectStore
internal import Platform
internal import Sealing

/// The session under whose name a repair puts new objects: claimed when the first is put, let go of at the end.
///
/// By its name the claim of a repair is known from others. One that was killed left its claim; the next repair lets go of
/// it, and of that of a repair that still runs: that one loses time.
final class RepairSession {
    private let repository: Repository
    private let isDryRun: Bool
    private var session: SessionID?
    private var claim: ClaimID?

    init(_ repository: Repository, isDryRun: Bool) {
        self.repository = repository
        self.isDryRun = isDryRun
    }

    func open() throws -> SessionID {
        if let session { return session }
        let fresh = SessionID.random(repository.surroundings)
        if !isDryRun {
            let own = Self.claim(of: fresh)
            try repository.appendAsSite { _ in .claim(own, .session(fresh)) }
            claim = own
        }
        session = fresh
        return fresh
    }

    private static func claim(of session: SessionID) -> ClaimID { ClaimID(of: session, "breakwater repair claim v1") }

    /// Lets go of the claims of all repairs.
    static func closeAll(_ repository: Repository) throws {
        for (id, held) in try repository.log.refresh().claims.sorted(by: { $0.key < $1.key }) {
            guard case .session(let session) = held.scope, held.owner == nil, id == claim(of: session) else { continue }
            try repository.release(id)
        }
    }

    /// A collector may have let go of the claim already.
    func close() throws {
        session = nil
        guard let claim else { return }
        self.claim = nil
        try repository.release(claim)
    }
}
