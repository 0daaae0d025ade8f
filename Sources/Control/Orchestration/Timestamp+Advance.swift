package import Platform

extension Timestamp {
    /// Later by so many seconds; the end of time where that would pass it.
    package func advanced(seconds: Int) -> Timestamp {
        let (span, tooLong) = Int64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, tooLate) = nanoseconds.addingReportingOverflow(span)
        return Timestamp(nanoseconds: tooLong || tooLate ? (seconds < 0 ? .min : .max) : sum)
    }
}
