import Platform
import Repository
import Sealing
import Support
import Testing

/// Which snapshots a policy keeps: pure, by numbers made up here.
struct RetentionTests {
    private let desktop = DesktopID.random(.seeded(1))
    private let now = Timestamp(seconds: 1_800_000_000)  // 2027-01-15
    private let day: Int64 = 86_400

    private func point(_ sequence: UInt64, daysAgo: Int64, hour: Int64 = 0, of desktop: DesktopID? = nil)
        -> RetentionPoint
    {
        RetentionPoint(
            id: SHA256.hash(Array("\(sequence) \(daysAgo) \(desktop?.hex ?? "")".utf8)),
            desktop: desktop ?? self.desktop,
            order: .init(generation: 1, sequence: sequence),
            time: Timestamp(seconds: now.nanoseconds / 1_000_000_000 - daysAgo * day + hour * 3600))
    }

    /// One a day, the last today.
    private func daily(_ count: Int64) -> [RetentionPoint] {
        (0..<count).map { point(UInt64($0) + 1, daysAgo: count - 1 - $0) }
    }

    private func policy(_ change: (inout RetentionPolicy) -> Void) -> RetentionPolicy {
        var policy = RetentionPolicy()
        change(&policy)
        return policy
    }

    private func staying(_ points: [RetentionPoint], _ policy: RetentionPolicy) -> [UInt64] {
        RetentionPlan(points, policy, now: now).verdicts.filter(\.stays).map(\.point.order.sequence)
    }

    /// An incomplete one takes a place, and does not stand for the newest that is complete.
    @Test func theNewestCompleteOneStays() {
        var points = daily(5)
        for index in 3...4 { points[index].isIncomplete = true }
        #expect(staying(points, policy { $0.last = 1 }) == [3, 5])
        for index in 0...2 { points[index].isIncomplete = true }
        #expect(staying(points, policy { $0.last = 1 }) == [5])
    }

    @Test func theLastStay() {
        #expect(staying(daily(10), policy { $0.last = 3 }) == [8, 9, 10])
    }

    @Test func theNewestOfEachDayStays() {
        var points: [RetentionPoint] = []
        for number in 0..<12 as Range<Int64> {
            points.append(point(UInt64(number) + 1, daysAgo: 3 - number / 3, hour: number % 3))
        }
        #expect(staying(points, policy { $0.daily = 3 }) == [6, 9, 12])
    }

    @Test func weeksMonthsAndYearsAreThoseOfTheCalendar() {
        // 800 days back from 2027-01-15, a Friday: the last of each month and year, and each Sunday.
        let points = daily(800)
        #expect(staying(points, policy { $0.weekly = 3 }) == [788, 795, 800].map { UInt64($0) }.map { $0 })
        #expect(staying(points, policy { $0.monthly = 3 }) == [754, 785, 800])
        #expect(staying(points, policy { $0.yearly = 3 }) == [420, 785, 800])
    }

    @Test func rulesAddUpAndTheReasonsSaySo() throws {
        let plan = RetentionPlan(
            daily(40),
            policy {
                $0.last = 1
                $0.daily = 2
                $0.monthly = 1
            }, now: now)
        let newest = try #require(plan.verdicts.last)
        #expect(newest.reasons == [.newest, .last(1), .newestOf("2027-01-15"), .newestOf("2027-01")])
        #expect(plan.verdicts[38].reasons == [.newestOf("2027-01-14")])
        #expect(plan.verdicts[30].reasons == [.superseded("2027-01")])
        #expect(plan.verdicts[0].reasons == [.beyond])
        #expect(plan.going.count == 38)
    }

    @Test func aClockAYearAheadEvictsNothing() {
        var points = daily(10)
        points[4].time = Timestamp(seconds: 1_800_000_000 + 365 * day)
        // It stays, and takes nobody's place.
        #expect(staying(points, policy { $0.daily = 3 }) == [5, 8, 9, 10])
        points[9].time = Timestamp(seconds: 1_800_000_000 + 365 * day)
        #expect(staying(points, policy { $0.daily = 3 }) == [5, 7, 8, 9, 10])
    }

    @Test func aClockThatWentBackEvictsNothingAndStopsNothing() {
        var points = daily(10)
        for index in [6, 7] { points[index].time = Timestamp(seconds: 0) }
        #expect(staying(points, policy { $0.daily = 3 }) == [6, 7, 8, 9, 10])
        let plan = RetentionPlan(points, policy { $0.daily = 3 }, now: now)
        #expect(plan.verdicts[6].reasons == [.clock])
        #expect(!plan.verdicts[0].stays)
    }

    @Test func aFloodEvictsNoGoodDay() {
        // A thousand in one hour, each claiming a day of its own in the years to come.
        let good = daily(7)
        let flood = (0..<1000).map { point(UInt64($0) + 8, daysAgo: -Int64($0) - 2) }
        let kept = Set(staying(good + flood, policy { $0.daily = 7 }))
        #expect(kept.isSuperset(of: (1...7).map { UInt64($0) }))
        // The same hour said truly fills one day.
        let honest = (0..<1000).map { point(UInt64($0) + 8, daysAgo: 0, hour: 1) }
        #expect(Set(staying(good + honest, policy { $0.daily = 7 })) == [1, 2, 3, 4, 5, 6, 1007])
    }

    @Test func aFloodOfOneDesktopLeavesTheOthersAlone() {
        let other = DesktopID.random(.seeded(2))
        let flood = (0..<500).map { point(UInt64($0) + 1, daysAgo: 0, of: other) }
        let plan = RetentionPlan(daily(5) + flood, policy { $0.last = 5 }, now: now)
        #expect(plan.verdicts.filter { $0.point.desktop == desktop && $0.stays }.count == 5)
    }

    @Test func theNewestGoodOneStaysAndWhatIsDamagedTakesNoPlace() {
        var points = daily(6)
        points[5].isDamaged = true
        points[4].isDamaged = true
        points[4].time = nil
        let plan = RetentionPlan(points, policy { $0.last = 2 }, now: now)
        #expect(plan.verdicts.filter(\.stays).map(\.point.order.sequence) == [3, 4, 5, 6])
        #expect(plan.verdicts[3].reasons == [.newest, .last(1)])
        #expect(plan.verdicts[5].reasons == [.damaged])
    }

    @Test func whatAMachineRunsOnStays() {
        var points = daily(6)
        points[1].isClaimed = true
        let plan = RetentionPlan(points, policy { $0.last = 1 }, now: now)
        #expect(plan.verdicts[1].reasons == [.machine])
        #expect(plan.going.count == 4)
    }

    @Test func aWrongClockOfWhoeverForgetsKeepsMore() {
        let plan = RetentionPlan(daily(10), policy { $0.daily = 1 }, now: Timestamp(seconds: 0))
        #expect(plan.going == [])
    }

    /// Whatever the clocks say: the newest stays, nothing out of order goes, and what stays by the calendar is the newest
    /// of its part of it.
    @Test(arguments: 0..<200 as Range<UInt64>) func noClockEvictsMoreThanItsPlaces(number: UInt64) {
        var seed = Seed(number)
        var points = daily(Int64(2 + seed.below(40)))
        for _ in 0..<seed.below(6) {
            points[seed.below(points.count)].time = Timestamp(seconds: Int64(seed.below(4_000_000_000)))
        }
        let honest = points.indices.filter { points[$0].time == daily(Int64(points.count))[$0].time }
        let plan = RetentionPlan(points, policy { $0.daily = 5 }, now: now)
        #expect(plan.verdicts.last?.stays == true)
        // Of those whose clock was right the last few stay, whatever the others said: a wrong time takes at most its own.
        let wrong = points.count - honest.count
        let last = honest.suffix(max(0, 5 - wrong))
        #expect(last.allSatisfy { plan.verdicts[$0].stays }, "seed \(number)")
    }
}
