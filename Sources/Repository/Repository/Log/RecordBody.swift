package import Platform
package import Sealing

/// What a record says. The raw numbers are in FORMAT.md, "Records".
package enum RecordBody: Hashable, Sendable {
    case genesis(charter: Statement, site: VerifyingKey)
    case commit(Commit)
    case forget([Digest])
    /// `counted` is the record at which liveness was counted.
    case condemn(Listing, counted: UInt64)
    case relocate([Relocation], counted: UInt64)
    case collected(Listing)
    case damaged(Listing)
    case claim(ClaimID, ClaimScope)
    case release(ClaimID)
    /// `newGeneration`, `retireGenerations`, `revoke`, `destroyed`, `acceptHead`: the root's words.
    case statement(Statement)
    case checkpoint(ObjectName, state: UInt64)
    case void(UInt64, hash: Digest)
    case closeLean(template: RepositoryID, snapshot: Digest)
    /// The root's `resealed` statement, and those of its envelopes that lie in this vault.
    case reseal(Statement, [ObjectRef])

    package struct Relocation: Hashable, Sendable {
        package var root: Digest
        package var objects: [ObjectRef]
        package init(root: Digest, objects: [ObjectRef]) {
            self.root = root
            self.objects = objects
        }

        /// What the root resolves to; besides them there may be segments that tell of them.
        var packs: [ObjectRef] { objects.filter { $0.name.kind == .pack } }

        /// The same root under another name: nothing is left out.
        var repairs: Bool { !packs.isEmpty && packs.allSatisfy { $0.name.digest == root } }
    }

    package struct Commit: Hashable, Sendable {
        package enum Origin: Hashable, Sendable {
            case native
            /// The origin's record that committed it, by vault, number and record hash.
            case copied(VaultID, record: UInt64, hash: Digest)
        }
        package var origin: Origin
        package var session: SessionID
        package var manifest: ObjectRef
        /// The manifest's clear part, byte for byte: rules are judged on the log alone.
        package var clear: [UInt8]
        package var objects: Listing

        package init(origin: Origin, session: SessionID, manifest: ObjectRef, clear: [UInt8], objects: Listing) {
            self.origin = origin
            self.session = session
            self.manifest = manifest
            self.clear = clear
            self.objects = objects
        }
    }

    package enum ClaimScope: Hashable, Sendable {
        case session(SessionID)
        case read(Digest)
        case machine(Digest)
        /// In the log of the golden templates: this tenant leans on that template version.
        case lean(tenant: RepositoryID, snapshot: Digest)

        var snapshot: Digest? {
            switch self {
            case .session: nil
            case .read(let snapshot), .machine(let snapshot), .lean(_, let snapshot): snapshot
            }
        }
    }

    /// Whether it names pages that list its objects.
    var hasPages: Bool {
        switch self {
        case .commit(let commit): !commit.objects.pages.isEmpty
        case .condemn(let listing, _), .collected(let listing), .damaged(let listing): !listing.pages.isEmpty
        default: false
        }
    }

    /// For messages: what a person calls it.
    package var title: String {
        switch self {
        case .genesis: "genesis"
        case .commit: "commit"
        case .forget: "forget"
        case .condemn: "condemn"
        case .relocate: "relocate"
        case .collected: "collected"
        case .damaged: "damaged"
        case .claim: "claim"
        case .release: "release"
        case .statement: "statement"
        case .checkpoint: "checkpoint"
        case .void: "void"
        case .closeLean: "close-lean"
        case .reseal: "reseal"
        }
    }
}
