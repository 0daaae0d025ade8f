package import ObjectStore
package import Platform
package import Sealing

/// A repository in one vault, open with whatever keys the opener holds.
///
/// Everything else hangs on it: `beginBackup` writes, `reader(for:)` reads, `Checker` checks, Replication copies.
package final class Repository: Sendable {
    package let store: any ObjectStore
    package let log: Log
    package let keys: Keys
    package let objects: ObjectReader
    package let surroundings: Surroundings
    package let resources: Resources
    /// Repositories in other vaults from which what is damaged here is taken.
    package let alternates: [Repository]
    /// The base repository, of whose templates snapshots here hold the difference; nil where it is not at hand.
    package let base: Repository?

    package var id: RepositoryID { log.state.repository }
    package var vault: VaultID { log.state.vault }

    private init(
        store: any ObjectStore, log: Log, keys: Keys, objects: ObjectReader, surroundings: Surroundings,
        resources: Resources, alternates: [Repository], base: Repository?
    ) {
        self.store = store
        self.log = log
        self.keys = keys
        self.objects = objects
        self.surroundings = surroundings
        self.resources = resources
        self.alternates = alternates
        self.base = base
    }

    /// The same vault, looked at with other keys.
    func with(_ keys: Keys) -> Repository {
        Repository(
            store: store, log: log, keys: keys, objects: objects, surroundings: surroundings, resources: resources,
            alternates: alternates, base: base)
    }

    // MARK: - Opening

    /// How an opener comes by keys.
    package enum Access: Sendable {
        /// None: look at the log, check without keys, copy.
        case keyless
        /// Those in a slot of the vault that this opens.
        case slot(SlotKey)
        case granted(Keys)

        package static func passphrase(_ passphrase: [UInt8]) -> Access { .slot(.passphrase(passphrase)) }
        var isKeyless: Bool { if case .keyless = self { true } else { false } }
    }

    /// - Parameters:
    ///   - expected: the repository the caller means; nil when the passphrase vouches for it.
    ///   - site: the vault's site key, when the caller keeps it in its own state.
    ///   - resources: memory and places of this machine; the standard memory and no kept index by themselves.
    ///   - base: opened to read its templates, which snapshots here lean on.
    ///   - mirrors: stores of vaults, besides those of `alternates`, which may mirror this one's log.
    package static func open(
        _ store: any ObjectStore, _ access: Access, expecting expected: RepositoryID? = nil, site: SigningKey? = nil,
        heads: any HeadMemory, surroundings: Surroundings, resources: Resources = Resources(),
        also alternates: [Repository] = [], base: Repository? = nil, mirrors: [any ObjectStore] = []
    ) throws(Failure) -> Repository {
        let objects = ObjectReader(store)
        var keys = Keys.none
        var bundle: KeyBundle?
        var search: SlotSearch?
        var expected = expected
        switch access {
        case .keyless: break
        case .granted(let granted): keys = granted
        case .slot(let key):
            (bundle, search) = try openSlots(
                store, key, expecting: expected, heads: heads, surroundings: surroundings,
                also: alternates)
            guard expected == nil || bundle?.repository == expected else {
                throw Failure(.refused, "\(key.title) opens another repository than the one meant")
            }
            expected = bundle?.repository
        }
        let log = try Log(
            store, expecting: expected, pages: PagesOfAnyVault(own: objects, alternates: alternates), heads: heads,
            mirrors: mirrors, named: alternates.map(\.store), readers: bundle?.readers ?? keys.readers,
            surroundings: surroundings)
        let state = log.state
        if state.isDestroyed, !access.isKeyless { throw destroyed(state.repository, at: store.location) }
        if let bundle, var rest = search {
            keys = try Keys(owning: complete(bundle, &rest, state), surroundings: surroundings)
        }
        if let site { keys.site = site }
        if keys.site == nil, !keys.readers.isEmpty { keys.site = takeUpSite(state, store, objects, keys.readers) }
        if let own = keys.site, own.verifying != state.site { keys.site = nil }
        return Repository(
            store: store, log: log, keys: keys, objects: objects, surroundings: surroundings, resources: resources,
            alternates: alternates, base: base)
    }

    /// Tries every slot that the vault holds.
    private static func openSlots(
        _ store: any ObjectStore, _ key: SlotKey, expecting expected: RepositoryID?, heads: any HeadMemory,
        surroundings: Surroundings, also alternates: [Repository]
    ) throws(Failure) -> (KeyBundle, SlotSearch) {
        let meant = expected ?? named(in: store) ?? alternates.first?.id
        var search = try SlotSearch([store] + alternates.map(\.store), of: meant, key)
        if let bundle = search.next() { return (bundle, search) }
        let genesis = try store.length(of: try Record.key(0))
        guard genesis != nil || search.problem != nil else {
            throw Failure(
                .notFound, "there is no repository in \(store.location)",
                advice: "Check the path, or make one with `breakwater repository init`.")
        }
        // With its slots gone, the log alone can say why.
        let keyless = try? open(store, .keyless, expecting: expected, heads: heads, surroundings: surroundings)
        if let keyless, keyless.log.state.isDestroyed { throw destroyed(keyless.id, at: store.location) }
        if let problem = search.problem { throw search.explained(problem, in: store) }
        throw Failure(
            .refused, "\(store.location) holds no key slot: its keys were destroyed, or the slots were removed",
            advice: "Where another vault of the repository has slots, `restore --also` reads by them, and `breakwater "
                + "repository keys add-passphrase --vault OTHER --also \(store.location)` puts one here.")
    }

    /// Where a vault that is not destroyed has no key slot, a sentence without a full stop on what that means and what helps.
    /// No damage by itself: a vault may have been made without any, by whoever keeps the keys elsewhere.
    func slotlessness() throws(Failure) -> String? {
        guard !log.state.isDestroyed else { return nil }
        for name in try Self.slotNames(store) {
            // One that is damaged may be an own one; a check names it.
            guard let bytes = try readIfWhole(name) else { return nil }
            if let slot = try? Slot(bytes), slot.repository == id { return nil }
        }
        return
            "no key slot is left in \(store.location): nobody opens the repository by this vault, but who keeps its keys "
            + "elsewhere. Where another vault of it has slots, `breakwater repository keys add-passphrase --vault OTHER "
            + "--also \(store.location)` puts one here"
    }

    package static func slotNames(_ store: any ObjectStore) throws(Failure) -> [ObjectName] {
        try listed(.slot, in: store)
    }

    /// The most objects that are listed of a kind: who may put objects could put junk without end.
    static let mostListed = 100_000

    /// Slots and site keys, which no log names, are found by listing: all of them, as one that is passed over could open the
    /// repository after it was withdrawn.
    /// - Throws: `.damaged` when there are more than anybody has a use for.
    static func listed(_ kind: ObjectKind, in store: any ObjectStore) throws(Failure) -> [ObjectName] {
        var names: [ObjectName] = []
        var looked = 0
        var last: StoreKey?
        repeat {
            let page = try store.list(prefix: kind.folder + "/", after: last, limit: 1000)
            names += page.compactMap { ObjectName(path: $0.key.text) }
            looked += page.count
            last = page.last?.key
            guard looked <= mostListed else {
                throw Failure(
                    .damaged, "more than \(mostListed) objects lie in \(kind.folder)/ of \(store.location)",
                    advice: "Nothing was changed. Somebody who may write there filled it: see to it that he may "
                        + "not, and remove by hand what is not the repository's.")
            }
        } while last != nil
        return names
    }

    private static func takeUpSite(
        _ state: LogState, _ store: any ObjectStore, _ objects: ObjectReader, _ readers: [ReaderKey]
    ) -> SigningKey? {
        for name in (try? listed(.siteKey, in: store)) ?? [] {
            guard let bytes = try? objects.read(name), let object = try? SiteKeyObject(bytes),
                object.vault == state.vault,
                let key = object.open(readers, repository: state.repository), key.verifying == state.site
            else { continue }
            return key
        }
        return nil
    }

    // MARK: - Making

    /// Makes the repository in an empty vault. The genesis comes last: until it stands there is no repository.
    ///
    /// The slots are written twice, under two names: they are the one thing without which the rest is noise. The sealed site
    /// key is, too.
    /// - Parameters:
    ///   - vault: its name in the log where a coordinator has chosen one; never the name of another vault.
    ///   - reader: the public key of the newest reader generation; nil for the charter's own.
    /// - Throws: `.exists` when the vault holds a repository already.
    package static func create(
        in store: any ObjectStore, charter: Statement, slots: [[UInt8]], site: SigningKey, vault chosen: VaultID? = nil,
        reader: [UInt8]? = nil, surroundings: Surroundings
    ) throws(Failure) -> VaultID {
        guard case .charter(let content) = charter.content, charter.verifies(root: content.root) else {
            throw Failure(.refused, "the charter is not signed by its root")
        }
        guard try store.length(of: try Record.key(0)) == nil else {
            throw Failure(.exists, "\(store.location) holds a repository already", advice: "Nothing was changed.")
        }
        // A vault whose genesis is lost is damaged, not empty. Slots and site keys alone are an init that was cut short.
        let kinds = ObjectKind.allCases.filter { ![.slot, .siteKey].contains($0) }
        for folder in ["log", "origins"] + kinds.map(\.folder) {
            if let found = try store.list(prefix: folder + "/", after: nil, limit: 1).first {
                throw Failure(
                    .refused, "\(store.location) has lost its genesis: log record 0 is gone, and \(found.key) is there",
                    advice: "Nothing was changed. Take the record from a copy of this vault, or restore from the other."
                )
            }
        }
        let vault = chosen ?? .random(surroundings)
        for _ in 0..<2 {
            let session = SessionID.random(surroundings)
            for slot in slots {
                try put(slot, as: .slot, session: session, store)
            }
        }
        let sealed = try SiteKeyObject(
            site, repository: content.repository, vault: vault, reader: reader ?? content.reader,
            ephemeral: surroundings.random(32))
        for _ in 0..<2 { try put(sealed.bytes, as: .siteKey, session: .random(surroundings), store) }
        let genesis = try Record(
            repository: content.repository, vault: vault, number: 0, previous: .zero, checkpoint: 0, author: .site,
            body: .genesis(charter: charter, site: site.verifying), key: site)
        do throws(Failure) {
            try store.putSettled(try Record.key(0), Record.object(genesis.bytes), use: .log)
        } catch  where error.code == .damaged {
            throw Failure(.exists, "\(store.location) holds a repository by now", advice: "Nothing of it was changed.")
        }
        return vault
    }

    /// Puts a small object under the name that its bytes give it, and reads it back, unless it is a segment, which is a
    /// hint: what a store acknowledged and lost must not be committed.
    /// - Throws: `.damaged` when it does not read back as it was put; what the store throws.
    @discardableResult
    package static func put(
        _ bytes: [UInt8], as kind: ObjectKind, session: SessionID, _ store: any ObjectStore
    ) throws(Failure) -> ObjectRef {
        let name = ObjectName(kind: kind, digest: SHA256.hash(bytes), session: session)
        let key = try name.key()
        try store.putSettled(key, bytes, use: [.slot, .siteKey, .checkpoint].contains(kind) ? .log : .data)
        if kind != .segment { try readBack(name, key, bytes, store) }
        return ObjectRef(name: name, length: UInt64(bytes.count))
    }

    private static func readBack(
        _ name: ObjectName, _ key: StoreKey, _ bytes: [UInt8], _ store: any ObjectStore
    ) throws(Failure) {
        do throws(Failure) {
            guard try store.get(key, atMost: UInt64(bytes.count)) == bytes else {
                throw Failure(.damaged, "\(name) in \(store.location) does not read back as it was put")
            }
        } catch {
            guard error.code == .notFound else { throw error }
            throw Failure(
                .damaged, "\(name) is not in \(store.location) any more, which has just taken it",
                advice: "Nothing was committed. Run it again; where that happens again, trust no backup to this store.")
        }
    }

    // MARK: - Appending

    /// Appends as the vault's site.
    @discardableResult
    package func appendAsSite(settles: Bool = false, _ body: (LogState) throws -> RecordBody) throws -> LogState {
        guard let site = keys.site else { throw siteKeyMissing }
        return try log.append(as: .site, site, settles: settles, body)
    }

    var siteKeyMissing: Failure {
        Failure(
            .refused, "the site key of \(store.location) is not at hand",
            advice: keys.readers.isEmpty
                ? "Give the repository's passphrase. Without one, a vault that `breakwater repository copy` made serves the "
                    + "user who ran that."
                : "The vault's own copy of it is lost: `breakwater repository check` names it, and `repair` mends it where "
                    + "that can be. A new vault, made by `copy` from this one, has a key of its own.")
    }

    /// Appends as the author this opener is certified to be.
    @discardableResult
    package func appendAsAuthor(_ body: (LogState) throws -> RecordBody) throws -> LogState {
        guard let author = keys.author else {
            throw Failure(.refused, "this opener of \(store.location) has no certificate to write with")
        }
        return try log.append(as: .certified(author.certificate), author.key, body)
    }
}

extension ObjectStore {
    /// Puts bytes whose name says what they are: that the name is taken is settled by reading and comparing, an unknown
    /// outcome by putting again.
    package func putSettled(_ key: StoreKey, _ bytes: [UInt8], use: StoreUse) throws(Failure) {
        for _ in 0..<20 {
            do throws(Failure) {
                try unsafe put(key, bytes.span.bytes, use: use)
                return
            } catch  where error.code == .unknownOutcome {
                continue
            } catch  where error.code == .exists {
                guard let length = try length(of: key) else { continue }
                guard length == UInt64(bytes.count), try get(key, range: 0..<length) == bytes else {
                    throw Failure(.damaged, "\(key) in \(location) is there with other bytes than its own")
                }
                return
            }
        }
        throw Failure(.unreachable, "whether \(key) was put could not be settled")
    }
}
