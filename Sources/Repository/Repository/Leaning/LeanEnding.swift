package import Platform
internal import Sealing

/// Lets go of templates on which no snapshot of a vault leans any more.
///
/// 1. In the tenant's log: `close-lean`, by the newest state, of each template that the base holds for this vault and
///    nothing here leans on. From then on a commit that leans there is void, so that nothing comes to need it.
/// 2. In the base's log: release the claim.
///
/// It may be killed at any point: what was closed is released by the next run. While a backup or copy holds a claim nothing
/// is closed, since it may be about to lean: comfort only, the log's rule decides.
package struct LeanEnding: Sendable, Equatable {
    /// Templates that were let go of, or would be, ascending.
    package private(set) var released: [Digest] = []
    /// Templates that snapshots here still lean on.
    package private(set) var kept: [Digest] = []
    /// Why the others were not let go of; nil when they were.
    package private(set) var postponed: String?

    /// - Parameter isDry: says what would be done, by what the logs say now, and changes nothing; it needs no site key.
    /// - Throws: `.refused` without the site keys of both; errors of the stores.
    package init(of tenant: Repository, in base: Repository, isDry: Bool = false) throws {
        let held = try base.log.refresh().claims.compactMap { claim, held -> Digest? in
            guard case .lean(tenant.id, let template) = held.scope,
                claim == Repository.leanClaim(of: tenant.vault, on: template)
            else { return nil }
            return template
        }
        for template in held.sorted() {
            guard try close(template, of: base.id, in: tenant, isDry: isDry) else { continue }
            if !isDry { try base.release(Repository.leanClaim(of: tenant.vault, on: template)) }
            released.append(template)
        }
    }

    private struct Nothing: Error {}

    private mutating func close(
        _ template: Digest, of base: RepositoryID, in tenant: Repository, isDry: Bool
    ) throws -> Bool {
        var (isClosed, isNeeded, isBusy) = (false, false, false)
        func judge(_ state: LogState) -> Bool {
            // Of a repository that was destroyed nothing leans on anything, and nothing more is said in its log.
            isClosed = state.closedLeans.contains(template) || state.isDestroyed
            isNeeded = state.leantOn.contains(template)
            isBusy = state.claims.values.contains { $0.scope.session != nil }
            return !isClosed && !isNeeded && !isBusy
        }
        if judge(try tenant.log.refresh()) {
            if isDry { return true }
            do {
                try tenant.appendAsSite { state in
                    guard judge(state) else { throw Nothing() }
                    return .closeLean(template: base, snapshot: template)
                }
                isClosed = true
            } catch is Nothing {}
        }
        if isClosed { return true }
        if isNeeded {
            kept.append(template)
        } else {
            postponed = "a backup or copy is under way, and may lean on them"
        }
        return false
    }
}
