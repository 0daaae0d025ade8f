internal import Platform

/// A day in UTC, for counting days, weeks, months and years: the same on every machine, whatever its time zone.
struct CalendarDay: Hashable, Sendable {
    /// Days since 1970-01-01.
    let number: Int64
    let year: Int64
    let month: Int64
    let day: Int64

    init(_ time: Timestamp) {
        let (seconds, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let whole = rest < 0 ? seconds - 1 : seconds
        self.init(number: whole >= 0 ? whole / 86_400 : (whole - 86_399) / 86_400)
    }

    /// "Chrono-compatible low-level date algorithms", Howard Hinnant, `civil_from_days`.
    init(number: Int64) {
        self.number = number
        let shifted = number + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The Monday it follows: 1970-01-01 was a Thursday.
    var monday: CalendarDay {
        let sinceMonday = (number + 3) % 7
        return CalendarDay(number: number - (sinceMonday < 0 ? sinceMonday + 7 : sinceMonday))
    }

    /// `2026-11-27`, `the week of 2026-11-23`, `2026-11` or `2026`.
    func label(_ period: RetentionPolicy.Period) -> String {
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return switch period {
        case .day: "\(year)-\(two(month))-\(two(day))"
        case .week: "the week of \(monday.label(.day))"
        case .month: "\(year)-\(two(month))"
        case .year: "\(year)"
        }
    }
}
