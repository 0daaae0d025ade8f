package import Platform
package import Sealing

/// What a log says after its records 0...n: a pure function of them and of the pages they name by hash.
///
/// `apply` is the only way on. The rules that make a record void are in `LogState+Rules`, one function a kind.
package struct LogState: Sendable, Equatable {
    /// An object that a commit, a relocation or a copy brought into the log.
    package struct Holding: Hashable, Sendable {
        package enum Status: UInt8, Sendable { case live = 0, damaged = 1, condemned = 2 }
        package var length: UInt64
        /// The record that brought it in.
        package var since: UInt64
        package var status: Status
        /// The record that last changed the status.
        package var changed: UInt64

        package init(length: UInt64, since: UInt64, status: Status, changed: UInt64) {
            self.length = length
            self.since = since
            self.status = status
            self.changed = changed
        }
    }

    /// A snapshot that was committed here and is not forgotten, or is still claimed.
    package struct Committed: Hashable, Sendable {
        package var record: UInt64
        package var manifest: ObjectRef
        package var clear: ClearPart
        package var origin: RecordBody.Commit.Origin
        /// Who signed the commit; nil for the site.
        package var author: AuthorID?
        package var isForgotten: Bool
    }

    /// A desktop's newest snapshot here.
    package struct Newest: Hashable, Sendable {
        package var generation: UInt64
        package var sequence: UInt64
        package var manifest: Digest
    }

    package struct Claim: Hashable, Sendable {
        package var record: UInt64
        /// Nil when the site owns it.
        package var owner: AuthorID?
        package var scope: RecordBody.ClaimScope
    }

    package struct Moved: Hashable, Sendable {
        package var record: UInt64
        package var objects: [ObjectRef]
    }

    package let charter: Charter
    package let vault: VaultID
    package let site: VerifyingKey
    /// The last record applied, and what the next one names as `previous`.
    package internal(set) var head: UInt64
    package internal(set) var headHash: Digest
    package internal(set) var objects = ObjectTable()
    package internal(set) var snapshots: [Digest: Committed] = [:]
    package internal(set) var newest: [DesktopID: Newest] = [:]
    /// Manifests forgotten here: never committed here again.
    package internal(set) var forgotten: Set<Digest> = []
    package internal(set) var claims: [ClaimID: Claim] = [:]
    package internal(set) var revoked: Set<AuthorID> = []
    /// Sessions of which something was condemned before it was committed: they commit nothing new any more.
    package internal(set) var closedSessions: Set<SessionID> = []
    /// Where the content of a root lies since it was repacked or repaired.
    package internal(set) var moved: [Digest: Moved] = [:]
    /// Public halves of the reader generations, and the first that is not retired.
    package internal(set) var readers: [UInt32: [UInt8]]
    package internal(set) var oldestReader: UInt32 = 1
    /// Envelopes beside the first one of a session (`LogState+Reseal`).
    package internal(set) var resealed: [SessionID: Resealing] = [:]
    package internal(set) var closedLeans: Set<Digest> = []
    package internal(set) var isDestroyed = false
    /// Bytes at `head` that are no record: nothing counts until a void names them.
    package internal(set) var blockedBy: Digest?
    /// The last checkpoint that a record named: the record, the state's number, the object.
    package internal(set) var checkpoint: CheckpointMark?
    /// Heads that a root statement accepted, by which a rolled-back log may go on.
    package internal(set) var acceptedHeads: [UInt64: Digest] = [:]
    /// Records that were taken to be effective because what they are judged by cannot be read: enough to read by, not
    /// enough to append by.
    package internal(set) var undecided: [Undecided] = []

    package struct CheckpointMark: Hashable, Sendable {
        package var record: UInt64
        package var state: UInt64
        package var object: ObjectName
    }

    package var repository: RepositoryID { charter.repository }
    package var newestReader: UInt32 { readers.keys.max() ?? 1 }

    /// The state after the genesis.
    /// - Throws: `.refused` when the repository requires a feature this program does not know.
    package init(genesis: Record) throws(Failure) {
        guard genesis.number == 0, case .genesis(let statement, let site) = genesis.body,
            case .charter(let charter) = statement.content
        else { throw Failure(.damaged, "the log does not begin with a genesis") }
        let unknown = Set(charter.features).subtracting(Charter.knownFeatures)
        guard unknown.isEmpty else {
            throw Failure(
                .refused,
                "the repository requires what this program does not know: \(unknown.sorted().joined(separator: ", "))",
                advice: "Nothing was touched. Use a newer Breakwater.")
        }
        self.charter = charter
        self.site = site
        vault = genesis.vault
        head = 0
        headHash = genesis.hash
        readers = [1: charter.reader]
    }

    init(
        charter: Charter, vault: VaultID, site: VerifyingKey, head: UInt64, headHash: Digest, readers: [UInt32: [UInt8]]
    ) {
        self.charter = charter
        self.vault = vault
        self.site = site
        self.head = head
        self.headHash = headHash
        self.readers = readers
    }

    // MARK: - Questions

    /// Names under which an object lies here, good ones first: live before damaged; condemned ones are left out.
    package func names(of kind: ObjectKind, _ digest: Digest) -> [ObjectName] {
        let names = objects.names(of: digest).filter { $0.kind == kind && objects[$0]?.status != .condemned }
        // As a rule there is one.
        guard names.count > 1 else { return names }
        return names.sorted { (objects[$0]?.status ?? .live, $0) < (objects[$1]?.status ?? .live, $1) }
    }

    /// The packs that hold a root's content now: itself, or what it was repacked into.
    package func packs(for root: Digest) -> [Digest] {
        guard moved[root] != nil else { return [root] }
        var out: [Digest] = []
        var seen: Set<Digest> = [root]
        var waiting = [root]
        while let next = waiting.popLast() {
            guard let moved = moved[next] else {
                out.append(next)
                continue
            }
            for target in moved.objects.map(\.name.digest) {
                if target == next {
                    out.append(next)
                } else if seen.insert(target).inserted {
                    waiting.append(target)
                }
            }
        }
        return out
    }

    /// The roots whose content lies in a pack now, or in it among others: its own, and those that were repacked into it.
    /// In another vault they may be where they were, or repacked into others.
    func roots(in pack: Digest) -> [Digest] {
        [pack] + moved.keys.filter { $0 != pack && packs(for: $0).contains(pack) }.sorted()
    }

    /// Digests of everything a snapshot needs: manifest, sets, envelopes, and the packs its sets name.
    package func needs(of snapshot: Committed, _ pages: any PageSource) throws(Failure) -> Set<Digest> {
        var needed: Set<Digest> = [snapshot.manifest.name.digest]
        needed.formUnion(snapshot.clear.sets)
        needed.formUnion(snapshot.clear.envelopes.flatMap(wraps(of:)))
        for root in try roots(of: snapshot.clear, pages) { needed.formUnion([root] + packs(for: root)) }
        return needed
    }

    /// The pack roots that a manifest's sets name.
    package func roots(
        of clear: ClearPart, new: [ObjectName] = [], _ pages: any PageSource
    ) throws(Failure) -> Set<Digest> {
        var roots: Set<Digest> = []
        for set in clear.sets {
            let candidates = names(of: .set, set) + new.filter { $0.kind == .set && $0.digest == set }
            roots.formUnion(try PackSet(try pages.page(candidates), expecting: set).roots)
        }
        return roots
    }
}

extension LogState.Holding.Status: Comparable {
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

extension LogState {
    /// Whom the log shows: who committed what is there, who claims something, and who was revoked.
    package var authors: Set<AuthorID> {
        revoked.union(snapshots.values.compactMap(\.author)).union(claims.values.compactMap(\.owner))
    }

    /// Sessions whose author was revoked: their packs are read, and never leaned on again.
    package var distrustedSessions: Set<SessionID> {
        guard !revoked.isEmpty else { return [] }
        return Set(snapshots.values.filter { $0.author.map(revoked.contains) ?? false }.map(\.clear.session))
    }
}
