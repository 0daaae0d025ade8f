import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// A log that went back is refused until its owner accepts it, and each acceptance excuses one roll-back.
struct RollBackTests {
    /// One who opens the vault and remembers.
    private final class Client {
        let heads = KeptHead()
        let damage: DamageEstate
        init(_ damage: DamageEstate) { self.damage = damage }
        @discardableResult func open(_ store: StrictStore) throws -> Repository {
            try damage.open(store, heads: heads)
        }
    }

    private final class KeptHead: HeadMemory {
        private let head = Monitor<LogHead?>(nil)
        func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? { head.access { $0 } }
        func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {
            self.head.access { $0 = head }
        }
    }

    /// The vault as it was when its log had that many records more than the genesis.
    private func rolledBack(_ store: StrictStore, to head: UInt64) throws -> StrictStore {
        let old = store.copy()
        let last = try Record.key(head).text
        for key in old.keys where key.hasPrefix("log/") && key > last { old.forget(key) }
        return old
    }

    private func accept(_ store: StrictStore, _ damage: DamageEstate) throws {
        let owner = try damage.open(store)
        try owner.accept(LogHead(of: owner.log.state))
    }

    @Test func anAcceptedHeadIsTakenByEverybodyOnce() throws {
        let damage = try DamageEstate(seed: 85)
        let (first, second) = (Client(damage), Client(damage))
        try first.open(try rolledBack(damage.store, to: 3))
        try second.open(damage.store)
        let old = try rolledBack(damage.store, to: 2)
        #expect(throws: Failure(.refused, "")) { try first.open(old) }
        #expect(throws: Failure(.refused, "")) { try second.open(old) }
        try accept(old, damage)
        try first.open(old)
        try second.open(old)
        #expect(try second.open(old).log.state.snapshots.count == 1)
    }

    /// The hole that was: any acceptance switched the detection off for good.
    @Test func alaterRollBackIsRefusedThoughAHeadWasAcceptedBefore() throws {
        let damage = try DamageEstate(seed: 86)
        let client = Client(damage)
        try client.open(damage.store)
        let store = try rolledBack(damage.store, to: 2)
        try accept(store, damage)
        try client.open(store)
        let accepted = try damage.open(store).log.state.head
        _ = try DamageEstate.backUp(damage.estate.bytes(100_000), into: try damage.open(store, seed: 4))
        try client.open(store)
        let again = try rolledBack(store, to: accepted)
        #expect(throws: Failure(.refused, "")) { try client.open(again) }
        // Nor does another branch pass on which the old acceptance stands.
        _ = try DamageEstate.backUp(damage.estate.bytes(120_000), into: try damage.open(again, seed: 6))
        #expect(throws: Failure(.refused, "")) { try client.open(again) }
        try accept(again, damage)
        try client.open(again)
    }

    @Test func onlyTheOwnerAcceptsAndOnlyWhatWasSeen() throws {
        let damage = try DamageEstate(seed: 87)
        let repository = try damage.open(damage.store)
        let head = LogHead(of: repository.log.state)
        let agent = try Repository.open(
            damage.store, .granted(Keys.none), heads: NoHeadMemory(), surroundings: .seeded(1))
        #expect(throws: Failure(.refused, "")) { try agent.accept(head) }
        _ = try repository.claim(.read(damage.snapshots[0]))
        #expect(throws: Failure(.refused, "")) { try repository.accept(head) }
    }

    @Test func theDirectoryOfHeadsKeepsWhatWasAccepted() throws {
        let directory = try TemporaryDirectory("heads")
        let memory = try DirectoryHeadMemory(at: directory("heads"))
        let vault = VaultID.random(.seeded(1))
        let digests = (0..<3).map { SHA256.hash([UInt8($0)]) }
        for accepted in [[], [digests[1]], digests] {
            let head = LogHead(number: 5, hash: digests[0], accepted: Set(accepted))
            try memory.remember(head, of: vault, at: "here")
            #expect(try memory.lastSeen(vault, at: "here") == head)
        }
    }
}
