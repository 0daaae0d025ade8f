package import ObjectStore
package import Platform
internal import Sealing

/// Record 0, from this vault or, where it is lost here, from another.
extension Log {
    /// Record 0, and the state after it.
    static func genesis(
        of store: any ObjectStore, expecting expected: RepositoryID?, mirrors: [any ObjectStore],
        _ readers: [ReaderKey]
    ) throws(Failure) -> Contents {
        let halves: Record.Halves?
        var unread: Failure?
        do throws(Failure) { halves = try Self.halves(store, 0) } catch {
            guard error.isOfOneObject else { throw error }
            (halves, unread) = (nil, error)
        }
        let record: Record
        var findings: [Finding] = []
        var borrowed: [UInt64: String] = [:]
        if let own = try halves?.either.flatMap({ bytes throws(Failure) in try own(bytes, store, expected) }) {
            record = own
            if halves?.isHurt ?? false { findings = [Finding(number: 0, kind: .halfDamaged)] }
        } else {
            let found =
                lendGenesis(of: store, expecting: expected, mirrors)
                ?? vouchedGenesis(of: store, expecting: expected, mirrors, readers)
            guard let (lent, lender) = found else {
                if let unread { throw unread }
                throw try lostGenesis(of: store, hasOthers: !mirrors.isEmpty, isKeyless: readers.isEmpty)
                    ?? Failure(
                        .notFound, "there is no repository in \(store.location)",
                        advice: "Check the path, or make one with `breakwater repository init`.")
            }
            record = lent
            findings = [Finding(number: 0, kind: halves == nil && unread == nil ? .missing : .unreadable)]
            borrowed = [0: lender]
        }
        return Contents(
            state: try LogState(genesis: record), findings: findings, hashes: [record.hash], borrowed: borrowed)
    }

    /// Record 0 once more, of a log that is open.
    func genesisAnew() throws(Failure) -> Contents {
        try Self.genesis(of: store, expecting: state.repository, mirrors: mirrors, readers)
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
    /// - Parameters:
    ///   - hasOthers: it was looked for in other vaults.
    ///   - isKeyless: without a key that opens the sealed site key.
    package static func lostGenesis(
        of store: any ObjectStore, hasOthers: Bool = false, isKeyless: Bool = true
    ) throws(Failure) -> Failure? {
        let key = try Record.key(0)
        let isThere = try store.length(of: key) != nil
        let hasLeft = isThere ? true : try hasRemains(store)
        if hasLeft {
            return Failure(
                .damaged,
                "\(store.location) has lost its genesis: \(key) \(isThere ? "is damaged in both halves" : "is gone")",
                advice: hasOthers && !isKeyless
                    ? "Nothing was changed. No vault at hand has one that a record or the sealed site key left here shows to "
                        + "be this vault's. Another vault of the repository serves by itself: restore from it, and make a "
                        + "new one of it with `breakwater repository copy`."
                    : "Nothing was changed. `breakwater repository repair --from`, with the passphrase, takes it from a copy "
                        + "that was made of this vault, which mirrors its log.")
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
    /// that vault can sign a genesis with a site key of his own, so the first record that is left here must name it; where
    /// records between the two are lost as well, through what that vault has of them, each named by the one after it.
    private static func lendGenesis(
        of store: any ObjectStore, expecting expected: RepositoryID?, _ mirrors: [any ObjectStore]
    ) -> (Record, from: String)? {
        guard let (number, halves) = firstLeft(in: store) else { return nil }
        for bytes in halves {
            guard let (repository, vault) = try? Record.identity(bytes), expected == nil || repository == expected
            else { continue }
            for mirror in mirrors {
                for folder in ["origins/\(vault)/log", "log"] {
                    guard let lent = chain(to: bytes, number, in: mirror, folder),
                        let genesis = try? Record(
                            lent, repository: repository, vault: vault, number: 0, site: nil, root: nil),
                        case .genesis(let charter, let site) = genesis.body,
                        case .charter(let content) = charter.content,
                        (try? Record(
                            bytes, repository: repository, vault: vault, number: number, site: site, root: content.root))
                            != nil
                    else { continue }
                    return (genesis, mirror.location)
                }
            }
        }
        return nil
    }

    /// A genesis out of another vault, where no record that is left here leads to one: the log may be lost whole. What is
    /// left then to tell this vault and its site is the site key, sealed here. Its owner alone can have put it here, so a
    /// genesis that names that key, for the vault that it was sealed for, is as good as one that a record leads to.
    private static func vouchedGenesis(
        of store: any ObjectStore, expecting expected: RepositoryID?, _ mirrors: [any ObjectStore],
        _ readers: [ReaderKey]
    ) -> (Record, from: String)? {
        guard !readers.isEmpty, !mirrors.isEmpty else { return nil }
        let objects = ObjectReader(store)
        for name in (try? Repository.listed(.siteKey, in: store)) ?? [] {
            guard let bytes = try? objects.read(name), let sealed = try? SiteKeyObject(bytes) else { continue }
            for mirror in mirrors {
                for folder in ["origins/\(sealed.vault)/log", "log"] {
                    let lent = (try? mirror.recordObject(0, folder: folder)).map { Record.Halves($0).different } ?? []
                    for bytes in lent {
                        guard let (repository, _) = try? Record.identity(bytes),
                            expected == nil || repository == expected,
                            let genesis = try? Record(
                                bytes, repository: repository, vault: sealed.vault, number: 0, site: nil, root: nil),
                            case .genesis(_, let site) = genesis.body,
                            sealed.open(readers, repository: repository)?.verifying == site
                        else { continue }
                        return (genesis, mirror.location)
                    }
                }
            }
        }
        return nil
    }

    /// The first record after the genesis of which a half is left.
    private static func firstLeft(in store: any ObjectStore) -> (number: UInt64, halves: [[UInt8]])? {
        guard let genesis = try? Record.key(0),
            let listed = try? store.list(prefix: "log/", after: genesis, limit: 1000)
        else { return nil }
        for number in listed.compactMap({ Record.number(of: $0.key) }) {
            let left = ((try? halves(store, number)) ?? nil)?.different.filter { Record.number(in: $0) == number } ?? []
            if !left.isEmpty { return (number, left) }
        }
        return nil
    }

    /// What a mirror has at number 0, if a chain of hashes leads there from a record.
    private static func chain(
        to record: [UInt8], _ number: UInt64, in mirror: any ObjectStore, _ folder: String
    ) -> [UInt8]? {
        var record = record
        for earlier in (0..<number).reversed() {
            guard let previous = Record.previous(in: record),
                let object = try? mirror.recordObject(earlier, folder: folder),
                let found = Record.Halves(object).different.first(where: { Record.hash(ofRecord: $0) == previous })
            else { return nil }
            record = found
        }
        return record
    }
}
