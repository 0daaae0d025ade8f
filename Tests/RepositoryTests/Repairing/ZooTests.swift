import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// The damaged zoo: every kind of object, harmed in every way: named by the check, never restored wrong, and repaired
/// from the other vault so that the check is clean.
struct ZooTests {
    enum Kind: String, CaseIterable {
        case packs, segments, envelopes, sets, manifests, slots, sitekeys, checkpoints, pages, log, origins
        /// What a vault can repair with its owner's key and its site's, and no other vault.
        static let own: [Kind] = [.segments, .sets, .slots, .sitekeys, .checkpoints]
    }

    enum Harm: CaseIterable { case flip, truncate, delete, swap }

    private let estate: RepairEstate

    init() throws { estate = try RepairEstate.shared.get() }

    /// The first and the last of a kind, and for packs and records one between.
    private func victims(_ kind: Kind) -> [String] {
        let keys = estate.keys(kind.rawValue)
        return Set([keys.first, keys.last, keys.count > 4 ? keys[keys.count / 2] : nil].compactMap { $0 }).sorted()
    }

    /// - Returns: what the check should call it; nil where nothing of the sort can be done to it.
    private func inflict(_ harm: Harm, _ key: String, _ kind: Kind, _ store: StrictStore) throws -> String? {
        switch harm {
        case .flip: store.alter(key) { $0[$0.count / 3] ^= 4 }
        case .truncate: store.alter(key) { $0.removeLast($0.count / 2 + 1) }
        case .delete:
            store.forget(key)
            if kind == .slots { return String(key.prefix { $0 != "." }) }
            if kind == .sitekeys {
                // One is enough, and lies there twice.
                for other in estate.keys("sitekeys") { store.forget(other) }
                return "sitekeys/"
            }
            // That one was mirrored, nothing tells.
            if kind == .origins { return nil }
        case .swap:
            let own = try estate.bytes(key)
            let other = try estate.keys(kind.rawValue).first { try estate.bytes($0) != own }
            guard let other else { return nil }
            let bytes = try estate.bytes(other)
            store.alter(key) { $0 = bytes }
        }
        return key
    }

    @Test(arguments: Kind.allCases, Harm.allCases) func isNamedAndRepaired(kind: Kind, harm: Harm) throws {
        let twin = try estate.twin()
        let other = try estate.keyless(twin)
        for key in victims(kind) {
            let store = estate.store.copy()
            guard let named = try inflict(harm, key, kind, store) else { continue }
            let isLast = kind == .log && key == estate.keys("log").last
            let isGenesis = kind == .log && key == estate.keys("log").first
            let report = try estate.check(store, also: isGenesis ? [other] : [])
            if isLast, harm == .delete {
                // A log that ends earlier is a log: what it lost the end of is named.
                #expect(report.isClean && report.uncommitted == [estate.damage.snapshots.last])
            } else {
                #expect(report.findings.map(\.object).contains(named), "\(harm) of \(key)")
                let outcomes = try estate.damage.outcomes(
                    try estate.open(store, also: isGenesis ? [other] : []))
                #expect(!outcomes.values.contains(.wrong), "\(harm) of \(key)")
            }
            let repaired = try estate.repair(store, from: [twin])
            #expect(repaired.isWhole && !repaired.healed.isEmpty, "\(harm) of \(key): \(repaired.items)")
            #expect(try estate.check(store).findings == [], "\(harm) of \(key)")
            #expect(try estate.isRight(store), "\(harm) of \(key)")
            // Repaired, it takes backups; and there is nothing left to do.
            #expect(try estate.open(store).log.borrowed.isEmpty)
            #expect(try estate.repair(store, from: [twin], seed: 8).items == [])
        }
    }

    @Test(arguments: Kind.own, Harm.allCases) func isRepairedWithNoOtherVault(kind: Kind, harm: Harm) throws {
        for key in victims(kind) {
            let store = estate.store.copy()
            guard try inflict(harm, key, kind, store) != nil else { continue }
            let site = try estate.open(estate.store).keys.site
            let repaired = try estate.repair(store, from: [], site: site)
            #expect(repaired.isWhole && !repaired.healed.isEmpty, "\(harm) of \(key): \(repaired.items)")
            #expect(try estate.check(store).findings == [], "\(harm) of \(key)")
            #expect(try estate.isRight(store), "\(harm) of \(key)")
            #expect(try estate.open(store).loadIndex(for: .writing).index.count > 0)
        }
    }

    /// Where no vault has it, it stays named, and the repair says why.
    @Test(arguments: [Kind.packs, .envelopes, .manifests, .pages])
    func staysDamagedWithNoOtherVault(kind: Kind) throws {
        let store = estate.store.copy()
        let key = try #require(victims(kind).first)
        _ = try inflict(.flip, key, kind, store)
        let repaired = try estate.repair(store, from: [])
        #expect(repaired.left.map(\.object) == [key] && !repaired.isWhole)
        #expect(repaired.recorded.map(\.path) == (kind == .packs ? [key] : []))
        #expect(try estate.check(store).findings.map(\.object) == [key])
        // Said once, it is not said again.
        let head = try estate.open(store).log.state.head
        #expect(try estate.repair(store, from: [], seed: 8).recorded == [])
        #expect(try estate.open(store).log.state.head == head)
    }
}
