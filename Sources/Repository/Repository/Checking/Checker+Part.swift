internal import ObjectStore
internal import Platform
internal import Sealing

/// The check by byte budget: a bit of the vault at a time, round after round, with no key.
///
/// 1. List the vault: what is in it now, in the order of the keys, records among the objects.
/// 2. Go on after the object at which the last run stopped, wherever that now is in the order: objects that were
///    collected since are passed by, new ones met when their turn comes.
/// 3. Take objects while the budget lasts, and one at least. What is taken is read whole.
/// 4. Remember the last one; of a run that reached the end, that the next round begins.
extension Checker {
    /// - Parameters:
    ///   - limit: bytes to read. One object that is longer is read all the same.
    ///   - progress: called from several threads, after every object.
    /// - Throws: as a check of everything does; what `memory` throws.
    package static func check(
        _ repository: Repository, upTo limit: UInt64, _ memory: any CheckMemory, _ options: Options = .init(),
        progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) throws -> CheckReport {
        var options = options
        options.readData = true
        let state = try repository.log.refresh()
        let checker = try Checker(repository, options, state, progress)
        let listed = try checker.checkListing()
        let all = try checker.ordered(listed)
        let known = try memory.place(of: state.vault, at: repository.store.location) ?? CheckPlace()
        var first = all.partitioned { $0.key > known.after }
        var place = known
        if first == all.count {
            // Whatever lay behind the place is gone.
            place = CheckPlace(round: known.round + (known.after.isEmpty ? 0 : 1))
            first = 0
        }
        let end = Self.end(of: all, from: first, limit)
        let taken = Array(all[first..<end])
        checker.ledger.begin(
            .objects, of: UInt64(taken.count), bytes: taken.reduce(0) { $0 &+ $1.length })
        try checker.check(taken)
        try checker.checkCopies(of: listed)
        checker.noteUndecided()
        try checker.checkForks()
        try checker.complete()
        let isComplete = end == all.count
        let read = checker.ledger.report.bytes
        let damagedRuns = place.damagedRuns + (checker.ledger.report.isClean ? 0 : 1)
        checker.ledger.change { report in
            report.snapshots = UInt64(checker.liveSnapshots.count)
            report.part = CheckPart(
                round: place.round, passed: UInt64(end), of: UInt64(all.count), bytes: place.bytes &+ read,
                damagedRuns: damagedRuns, isRoundComplete: isComplete)
        }
        place =
            isComplete
            ? CheckPlace(round: place.round + 1)
            : CheckPlace(
                round: place.round, after: taken.last?.key ?? place.after, bytes: place.bytes &+ read,
                damagedRuns: damagedRuns)
        try memory.keep(place, of: state.vault, at: repository.store.location)
        return checker.ledger.report
    }

    private func ordered(_ listed: Listed) throws(Failure) -> [Item] {
        var items = items(listed)
        for number in 0...state.head {
            items.append(.record(number, try Record.key(number), listed.records[number] ?? 0))
        }
        return items.map { ($0.key, $0) }.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// Where the budget ends.
    private static func end(of items: [Item], from first: Int, _ limit: UInt64) -> Int {
        var left = limit
        var end = first
        while end < items.count, items[end].length <= left || end == first {
            left -= min(left, items[end].length)
            end += 1
        }
        return end
    }
}

extension [Checker.Item] {
    /// The place of the first element that `isAfter` takes, in an order in which all after it are taken too.
    fileprivate func partitioned(_ isAfter: (Checker.Item) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = low + (high - low) / 2
            if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
