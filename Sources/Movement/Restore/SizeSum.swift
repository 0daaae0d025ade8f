extension UInt64 {
    /// Adds a size that a snapshot claims; what no number can hold stays at the largest.
    package mutating func add(_ size: UInt64?) {
        let (sum, isTooMuch) = addingReportingOverflow(size ?? 0)
        self = isTooMuch ? .max : sum
    }
}
