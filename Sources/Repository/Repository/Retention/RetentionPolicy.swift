/// How many snapshots of each desktop stay, by number and by parts of the calendar. Zero: the rule keeps nothing.
package struct RetentionPolicy: Sendable, Hashable {
    package var last = 0
    package var daily = 0
    package var weekly = 0
    package var monthly = 0
    package var yearly = 0

    package init() {}

    /// Nothing is kept by it: then it is no policy, and nothing is to be forgotten by it.
    package var isEmpty: Bool { self == RetentionPolicy() }

    /// What a policy counts by: the newest snapshot of each of so many days, weeks, months and years.
    package enum Period: Int, Sendable, CaseIterable { case day, week, month, year }

    package func count(of period: Period) -> Int {
        switch period {
        case .day: daily
        case .week: weekly
        case .month: monthly
        case .year: yearly
        }
    }
}
