/// Decides what to fetch before it is asked for: it follows a few sequences at once (a guest reads several files) and
/// looks further ahead in each the longer it lasts. A read out of the blue is taken as the start of one.
struct ReadAhead {
    private struct Sequence {
        /// The page after the last one read.
        var next: UInt64
        var window: UInt64
        /// Up to here pages were asked for already.
        var fetched: UInt64
        var used: UInt64
    }

    private var sequences: [Sequence] = []
    private var clock: UInt64 = 0
    private let firstWindow: UInt64
    private let largestWindow: UInt64
    private static let mostSequences = 16
    /// A step over a few pages (a bitmap, another file's block) does not end a sequence.
    private static let largestGap: UInt64 = 4

    /// Windows in pages.
    init(firstWindow: UInt64, largestWindow: UInt64) {
        self.firstWindow = firstWindow
        self.largestWindow = max(firstWindow, largestWindow)
    }

    /// - Parameters:
    ///   - pages: what was just asked for.
    ///   - missed: whether any of it had to be fetched.
    ///   - end: the number of pages there are.
    /// - Returns: what to fetch now; empty when nothing.
    mutating func pages(after pages: ClosedRange<UInt64>, missed: Bool, end: UInt64) -> Range<UInt64> {
        clock += 1
        let following = sequences.indices.first { index in
            let sequence = sequences[index]
            return pages.lowerBound <= sequence.next + Self.largestGap && pages.upperBound + 1 >= sequence.next
        }
        guard let following else {
            if !missed { return 0..<0 }
            if sequences.count >= Self.mostSequences,
                let idle = sequences.indices.min(by: { sequences[$0].used < sequences[$1].used })
            {
                sequences.remove(at: idle)
            }
            let target = min(pages.upperBound + 1 + firstWindow, end)
            sequences.append(
                Sequence(next: pages.upperBound + 1, window: firstWindow, fetched: target, used: clock))
            return pages.upperBound + 1 < target ? pages.upperBound + 1..<target : 0..<0
        }
        var sequence = sequences[following]
        defer { sequences[following] = sequence }
        sequence.used = clock
        let isStep = pages.upperBound + 1 > sequence.next
        sequence.next = max(sequence.next, pages.upperBound + 1)
        // Half the window must be used up before the next fetch, or each page would be a fetch of its own.
        guard isStep, sequence.fetched < sequence.next + sequence.window / 2 else { return 0..<0 }
        sequence.window = min(sequence.window * 2, largestWindow)
        let start = max(sequence.fetched, sequence.next)
        let target = min(sequence.next + sequence.window, end)
        sequence.fetched = max(sequence.fetched, target)
        return start < target ? start..<target : 0..<0
    }
}
