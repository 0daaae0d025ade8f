package import ObjectStore
package import Platform
internal import Sealing

/// Record 0, from this vault or, where it is lost here, from another.
extension Log {
    /// Record 0, and the state after it.
    static func genesis(
        of store: any ObjectStore, expecting expected: RepositoryID?, mirrors: [any ObjectStore]
    ) throws(Failure) -> Contents {
        let halves = try halves(store, 0)
        let record: Record
        var findings: [Finding] = []
        var borrowed: [UInt64: String] = [:]
        if let own = try halves?.either.flatMap({ bytes throws(Failure) in try own(bytes, store, expected) }) {
            record = own
            if halves?.isHurt ?? false { findings = [Finding(number: 0, kind: .halfDamaged)] }
        } else {
            guard let (lent, lender) = lendGenesis(of: store, expecting: expected, mirrors) else {
                throw try lostGenesis(of: store)
                    ?? Failure(
                        .notFound, "there is no repository in \(store.location)",
                        advice: "Check the path, or make one with `breakwater repository init`.")
            }
            record = lent
            findings = [Finding(number: 0, kind: halves == nil ? .missing : .unreadable)]
            borrowed = [0: lender]
        }
        return Contents(
            state: try LogState(genesis: record), findings: findings, hashes: [record.hash], borrowed: borrowed)
    }

    /// Nil when a whole half is no genesis.
    private static func own(
        _ bytes: [UInt8], _ store: any ObjectStore, _ expected: RepositoryID?
    ) throws(Failure) -> Record? {
        guard let (repository, _) = try? Record.identity(bytes),
            let record = try? Record(bytes, repository: repository, vault: nil, number: 0, site: nil, root: nil)
        else { return nil }
        guard expected == nil || repository == expected else {
            throw Failure(
                .refused, "\(store.location) holds repository \(repository), not \(expected?.description ?? "")",
                advice: "Nothing was written.")
        }
        return record
    }

    /// That there was a repository: `.damaged`, or nil when nothing of one is there.
    package static func lostGenesis(of store: any ObjectStore) throws(Failure) -> Failure? {
        let key = try Record.key(0)
        let isThere = try store.length(of: key) != nil
        let hasLeft = isThere ? true : try hasRemains(store)
        if hasLeft {
            return Failure(
                .damaged,
                "\(store.location) has lost its genesis: \(key) \(isThere ? "is damaged in both halves" : "is gone")",
                advice: "Nothing was changed. Name another vault with --also: a copy of this one mirrors its log.")
        }
        return nil
    }

    private static func hasRemains(_ store: any ObjectStore) throws(Failure) -> Bool {
        for folder in ["log/", "manifests/", "packs/"] {
            if try !store.list(prefix: folder, after: nil, limit: 1).isEmpty { return true }
        }
        return false
    }

    /// A genesis out of another vault: its mirror of this log, or its own log where it is the same vault. Whoever owns
    /// that vault can sign a genesis with a site key of his own, so record 1 here must name it.
    private static func lendGenesis(
        of store: any ObjectStore, expecting expected: RepositoryID?, _ mirrors: [any ObjectStore]
    ) -> (Record, from: String)? {
        guard let halves = try? halves(store, 1) else { return nil }
        for bytes in halves.different {
            guard let (repository, vault) = try? Record.identity(bytes), expected == nil || repository == expected
            else { continue }
            for mirror in mirrors {
                for folder in ["origins/\(vault)/log", "log"] {
                    guard let object = try? mirror.recordObject(0, folder: folder) else { continue }
                    for lent in Record.Halves(object).different {
                        guard
                            let genesis = try? Record(
                                lent, repository: repository, vault: vault, number: 0, site: nil, root: nil),
                            case .genesis(let charter, let site) = genesis.body,
                            case .charter(let content) = charter.content,
                            let first = try? Record(
                                bytes, repository: repository, vault: vault, number: 1, site: site, root: content.root),
                            first.previous == genesis.hash
                        else { continue }
                        return (genesis, mirror.location)
                    }
                }
            }
        }
        return nil
    }
}
