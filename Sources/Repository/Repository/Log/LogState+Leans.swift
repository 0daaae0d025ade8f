package import Platform
package import Sealing

/// Leaning on the templates of a base repository.
extension LogState {
    /// Templates on which some snapshot here leans that is not forgotten, or that a claim holds.
    package var leantOn: Set<Digest> {
        let claimed = Set(claims.values.compactMap(\.scope.snapshot))
        let needed = snapshots.filter { !$0.value.isForgotten || claimed.contains($0.key) }
        return Set(needed.values.flatMap(\.clear.leans).map(\.snapshot))
    }

    /// Repositories that lean on templates here, by the claims that hold those for them.
    package var tenants: [RepositoryID: Set<Digest>] {
        claims.values.reduce(into: [:]) { found, held in
            if case .lean(let tenant, let template) = held.scope { found[tenant, default: []].insert(template) }
        }
    }

    /// From here on no commit leans on that template.
    mutating func close(leansOn template: Digest) throws {
        guard !leantOn.contains(template) else { throw RuleBroken("a snapshot leans on template \(template)") }
        closedLeans.insert(template)
    }
}
