package import ObjectStore
package import Platform
package import Sealing

/// Goes through the key slots of vaults, and gives out the bundle of each that a key opens.
///
/// Slots of another repository are passed over: a making that was cut short may have left them. So are second copies
/// of a slot that was read.
struct SlotSearch {
    private var candidates: [(store: any ObjectStore, name: ObjectName)] = []
    private var read: Set<Digest> = []
    private let repository: RepositoryID?
    private let key: SlotKey
    /// The first reason why a slot did not open; that the key does not fit says more than that one is damaged.
    private(set) var problem: Failure?
    /// Slots that could not be read.
    private var unread = 0

    /// - Parameter repository: the one meant; nil where it is not known, and then any slot serves.
    init(_ stores: [any ObjectStore], of repository: RepositoryID?, _ key: SlotKey) throws(Failure) {
        self.repository = repository
        self.key = key
        for store in stores {
            for name in try Repository.slotNames(store) { candidates.append((store, name)) }
        }
        candidates.reverse()
    }

    /// The next bundle, or nil when no slot is left.
    mutating func next() -> KeyBundle? {
        while let (store, name) = candidates.popLast() {
            guard !read.contains(name.digest) else { continue }
            do throws(Failure) {
                let slot = try Slot(try ObjectReader(store).read(name))
                guard repository == nil || slot.repository == repository else { continue }
                read.insert(name.digest)
                return try slot.unwrap(key)
            } catch {
                if error.code != .refused { unread += 1 }
                if problem?.code != .refused { problem = error }
            }
        }
        return nil
    }

    /// Why no slot opened, once all were looked at: that the key does not fit is said as it is, and so is what says nothing
    /// of slots.
    func explained(_ problem: Failure, in store: any ObjectStore) -> Failure {
        guard problem.isOfOneObject, problem.code != .refused else { return problem }
        return Failure(
            problem.code,
            "\(key.title) opens no key slot in \(store.location), and \(unread.counted("object", "objects")) in slots/ cannot "
                + "be read as one, such as this: \(problem.what)",
            advice: "All were looked at, and nothing was changed. Where another vault of the repository has slots, "
                + "`restore --also` reads by them, and `breakwater repository repair --from` puts back what is damaged."
        )
    }
}

extension Repository {
    /// Which repository a vault says it holds; nil when its genesis cannot be read.
    package static func named(in store: any ObjectStore) -> RepositoryID? {
        guard let object = try? store.get(try Record.key(0), atMost: Record.largestObject),
            let bytes = Record.Halves(object).either
        else { return nil }
        return try? Record.identity(bytes).repository
    }

    /// Whether the log gives the generation this very key. A change of keys that was cut short may have left slots with a
    /// generation that never came to be, or that came to be with another key.
    static func isListed(_ reader: ReaderKey, _ state: LogState) -> Bool {
        state.readers[reader.generation] == reader.publicKey
    }

    /// The bundle with the reader keys of further slots, which are opened only while a generation that the log has not
    /// retired is not in it. Keys that the log lists come first.
    static func complete(_ bundle: KeyBundle, _ search: inout SlotSearch, _ state: LogState) -> KeyBundle {
        var whole = bundle
        while !state.generationsInUse.isSubset(of: whole.readers.filter { isListed($0, state) }.map(\.generation)),
            let other = search.next()
        {
            guard other.repository == bundle.repository else { continue }
            whole.add(other.readers)
        }
        whole.readers = whole.readers.filter { isListed($0, state) } + whole.readers.filter { !isListed($0, state) }
        return whole
    }

    /// What is said of a repository that its owner destroyed.
    package static func destroyed(_ repository: RepositoryID, at location: String) -> Failure {
        Failure(
            .refused,
            "repository \(repository) was destroyed by its owner: \(location) holds nothing that can be opened",
            advice:
                "Its keys are gone in this vault and in every copy that has learned of it. Nothing brings them back.")
    }
}

extension KeyBundle {
    /// Adds the private halves that are not in it.
    mutating func add(_ others: [ReaderKey]) {
        let known = Set(readers.map(\.publicKey))
        readers += others.filter { !known.contains($0.publicKey) }
    }
}
