internal import ObjectStore
package import Platform
internal import Sealing

/// Giving up a record that is lost.
///
/// 1. What lies at the number must be what interrupts the log. 2. Where nothing lies there, bytes that say so are put, so
/// that there is something to void. 3. The site appends `void(n, hash of the bytes)`: the log goes on after it, and what was
/// appended between the two has no effect for ever.
extension Repository {
    /// What giving up a record costs.
    package struct VoidPlan: Sendable, Equatable {
        package var number: UInt64
        /// Records after it that are authentic: they were appended to a log that had the record.
        package var records: UInt64 = 0
        /// Snapshots that these records committed, and that nobody will see again.
        package var snapshots: [Digest] = []
    }

    /// - Throws: `.refused` when the record is authentic, or cannot be read for itself, or another one interrupts the log.
    package func planVoid(of number: UInt64) throws(Failure) -> VoidPlan {
        let state = try log.refresh()
        guard let cut = log.interruption else {
            throw Failure(
                .refused,
                number <= state.head
                    ? "record \(number) of the log in \(store.location) is authentic or was settled: it is not voided"
                    : "the log in \(store.location) ends at record \(state.head), and nothing is to be voided",
                advice: "Nothing was changed.")
        }
        guard cut.number == number else {
            throw Failure(
                .refused, "it is record \(cut.number) of the log in \(store.location) that is lost, not \(number)",
                advice: "Nothing was changed.")
        }
        guard !cut.isUnread else {
            throw Failure(
                .refused,
                "record \(number) of the log in \(store.location) is there and cannot be read: it may be whole",
                advice: "Nothing was changed. \(log.whatToDo(cut))")
        }
        var plan = VoidPlan(number: number)
        for record in try log.recordsBeyond(number) {
            plan.records += 1
            if case .commit(let commit) = record.body { plan.snapshots.append(commit.manifest.name.digest) }
        }
        return plan
    }

    /// Voids the record that interrupts the log, as its site.
    package func void(_ plan: VoidPlan) throws {
        guard keys.site != nil else { throw siteKeyMissing }
        guard let cut = log.interruption, cut.number == plan.number else {
            throw Failure(.refused, "record \(plan.number) of the log in \(store.location) was settled meanwhile")
        }
        if !cut.isJunk {
            try store.putSettled(
                try Record.key(plan.number), Array("breakwater: record \(plan.number) was lost\n".utf8), use: .log)
        }
        try log.refresh()
        guard let hash = log.state.blockedBy else {
            throw Failure(.refused, "record \(plan.number) of the log in \(store.location) is there again")
        }
        try appendAsSite { _ in .void(plan.number, hash: hash) }
    }
}

extension Log {
    /// Authentic records that lie after one that is lost, with what they follow left open, in order.
    func recordsBeyond(_ number: UInt64) throws(Failure) -> [Record] {
        let state = state
        var found: [Record] = []
        var after: StoreKey? = try Record.key(number)
        repeat {
            let page = try store.list(prefix: "log/", after: after, limit: 1000)
            for object in page {
                guard let later = Record.number(of: object.key),
                    let bytes = try? store.recordObject(later)
                else { continue }
                let records = Record.Halves(bytes).different.compactMap { Self.record($0, later, state) }
                found += records.prefix(1)
            }
            after = page.last?.key
        } while after != nil
        return found
    }
}
