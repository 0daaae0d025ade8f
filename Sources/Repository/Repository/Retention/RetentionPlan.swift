package import Platform
package import Sealing

/// A snapshot as retention sees it.
package struct RetentionPoint: Hashable, Sendable {
    package var id: Digest
    package var desktop: DesktopID
    /// Signed: what a desktop's snapshots are ordered by.
    package var order: ClearPart.Order
    /// Where it was committed: of two in one place of that order the first counts as the later.
    package var record: UInt64
    /// What the desktop's clock said; nil when the snapshot cannot be opened.
    package var time: Timestamp?
    /// It cannot be opened, or the log calls something damaged that it needs.
    package var isDamaged: Bool
    /// Something could not be read when it was made.
    package var isIncomplete: Bool
    /// A machine runs on it.
    package var isClaimed: Bool

    package init(
        id: Digest, desktop: DesktopID, order: ClearPart.Order, record: UInt64 = 0, time: Timestamp?,
        isDamaged: Bool = false, isIncomplete: Bool = false, isClaimed: Bool = false
    ) {
        self.id = id
        self.desktop = desktop
        self.order = order
        self.record = record
        self.time = time
        self.isDamaged = isDamaged
        self.isIncomplete = isIncomplete
        self.isClaimed = isClaimed
    }
}

/// Which snapshots stay and which go by a policy, each with the reason: a value to print, to test and to approve.
///
/// Each desktop is counted for itself, by its signed sequence from the newest down. Only a snapshot that **counts**
/// takes a place that another would have had:
/// - A time counts when it is in order: the most snapshots of the desktop whose times do not go back while their
///   sequence goes on. So one clock that ran ahead or back for some snapshots makes these few count for nothing.
/// - A time more than a day after now counts for nothing. So a flood of snapshots has no more days, weeks, months or
///   years to fill than really went by.
/// - What is damaged counts for nothing.
///
/// What does not count evicts nothing and is not evicted: it stays until it is forgotten by its id. The newest snapshot of
/// a desktop that is not damaged stays whatever the policy; if it is incomplete, so does the newest that is complete; and so
/// does what a machine runs on.
package struct RetentionPlan: Sendable, Equatable {
    package enum Reason: Hashable, Sendable {
        /// The newest good snapshot of its desktop: whole and complete.
        case newest
        /// The newest of its desktop, which is incomplete.
        case newestIncomplete
        /// One of the last so many.
        case last(Int)
        /// The newest of that day, week, month or year.
        case newestOf(String)
        case machine
        case damaged
        /// Its time goes against its sequence, or lies in the future.
        case clock
        /// It goes: a later one of that period stays.
        case superseded(String)
        /// It goes: older than everything the policy keeps.
        case beyond
    }

    package struct Verdict: Hashable, Sendable {
        package var point: RetentionPoint
        package var stays: Bool
        package var reasons: [Reason]
    }

    /// By desktop, oldest first.
    package private(set) var verdicts: [Verdict] = []

    package var going: [Digest] { verdicts.filter { !$0.stays }.map(\.point.id) }

    /// - Parameter now: the clock of whoever forgets. Where it is wrong, too, more stays.
    package init(_ points: [RetentionPoint], _ policy: RetentionPolicy, now: Timestamp) {
        let desktops = Dictionary(grouping: points, by: \.desktop)
        for (_, own) in desktops.sorted(by: { $0.key < $1.key }) {
            verdicts += Self.judge(
                own.sorted { ($0.order, $1.record, $0.id) < ($1.order, $0.record, $1.id) }, policy, now)
        }
    }

    // MARK: - One desktop

    private static func judge(_ points: [RetentionPoint], _ policy: RetentionPolicy, _ now: Timestamp) -> [Verdict] {
        let counting = self.counting(points, now)
        var kept: [Int: [Reason]] = [:]
        let good = points.lastIndex { !$0.isDamaged && !$0.isIncomplete }
        if let good { kept[good, default: []].append(.newest) }
        if let newest = points.lastIndex(where: { !$0.isDamaged }), newest != good {
            kept[newest, default: []].append(.newestIncomplete)
        }
        for (place, index) in counting.reversed().prefix(max(policy.last, 0)).enumerated() {
            kept[index, default: []].append(.last(place + 1))
        }
        let days = points.map { point in CalendarDay(point.time ?? Timestamp(nanoseconds: 0)) }
        for period in RetentionPolicy.Period.allCases {
            var left = policy.count(of: period)
            var last: String?
            for index in counting.reversed() where left > 0 {
                let label = days[index].label(period)
                guard label != last else { continue }
                last = label
                left -= 1
                kept[index, default: []].append(.newestOf(label))
            }
        }
        let count = Set(counting)
        let labels = Set(kept.values.joined().compactMap { if case .newestOf(let label) = $0 { label } else { nil } })
        return points.indices.map { index in
            let point = points[index]
            var reasons = kept[index] ?? []
            if point.isClaimed { reasons.append(.machine) }
            if point.isDamaged { reasons.append(.damaged) } else if !count.contains(index) { reasons.append(.clock) }
            if !reasons.isEmpty { return Verdict(point: point, stays: true, reasons: reasons) }
            let period = RetentionPolicy.Period.allCases.first { labels.contains(days[index].label($0)) }
            let why = period.map { Reason.superseded(days[index].label($0)) } ?? .beyond
            return Verdict(point: point, stays: false, reasons: [why])
        }
    }

    private static let day: Int64 = 86_400_000_000_000

    /// Indices of the snapshots that count: a longest run of them, in their order, whose times do not go back
    /// (patience sorting; of several such runs the one whose times end earliest).
    private static func counting(_ points: [RetentionPoint], _ now: Timestamp) -> [Int] {
        let (limit, isBeyond) = now.nanoseconds.addingReportingOverflow(day)
        /// Index of the point that ends the best run of each length.
        var ends: [Int] = []
        var before: [Int: Int] = [:]
        func time(_ index: Int) -> Int64 { points[index].time?.nanoseconds ?? .min }
        for (index, point) in points.enumerated() {
            guard let own = point.time?.nanoseconds, !point.isDamaged, isBeyond || own <= limit else { continue }
            // The first run that ends later than this: shorter ones can be carried on by it.
            var (low, high) = (0, ends.count)
            while low < high {
                let middle = (low + high) / 2
                if time(ends[middle]) <= own { low = middle + 1 } else { high = middle }
            }
            if low > 0 { before[index] = ends[low - 1] }
            if low == ends.count { ends.append(index) } else { ends[low] = index }
        }
        var run: [Int] = []
        var at = ends.last
        while let index = at {
            run.append(index)
            at = before[index]
        }
        return run.reversed()
    }
}
