package import Platform

/// A source with a memory: pages that were read are kept, pages that will be read soon are fetched before anybody
/// waits for them, and a page is fetched once however many ask for it at the same time.
///
/// 1. A read is split into pages. Those that are there are taken, those that nobody fetches are claimed.
/// 2. Claimed neighbours are fetched together by one read of the source; a failure gives the claim back and is thrown.
/// 3. Pages that others fetch are waited for; where that failed, this read claims them itself.
/// 4. What comes next is fetched by threads of the cache's own. Their failures are forgotten: whoever really needs the
///    page will meet them.
package final class CachingBlockSource: BlockSource {
    private let core: CacheCore
    private let threads: [EngineThread]

    package init(_ source: any BlockSource, policy: CachePolicy = CachePolicy()) {
        let core = CacheCore(source, policy)
        self.core = core
        threads = (0..<policy.readers).map { _ in EngineThread(name: "read-ahead") { core.readAheadUntilStopped() } }
    }

    deinit {
        core.stop()
        for thread in threads { thread.join() }
    }

    package var size: UInt64 { core.source.size }
    package var counters: CacheCounters { core.state.access { $0.counters } }

    package func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        precondition(offset + UInt64(target.count) <= size)
        var done = 0
        while done < target.count {
            // In steps, so that a large read holds few pages at a time.
            let count = min(target.count - done, CacheCore.largestStep)
            let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: target[done..<done + count])
            unsafe try core.read(at: offset + UInt64(done), into: piece)
            done += count
        }
    }

    package func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent] {
        try core.source.extents(in: range)
    }
}

/// What the callers and the read-ahead threads share.
final class CacheCore: Sendable {
    static let largestStep = 1 << 20
    /// Ranges waiting to be read ahead; more are not worth remembering.
    private static let mostWanted = 64

    struct State {
        var table: PageTable
        var ahead: ReadAhead
        var wanted: [Range<UInt64>] = []
        var counters = CacheCounters()
        var isStopped = false
    }

    let source: any BlockSource
    let state: Monitor<State>
    private let pageSize: UInt64
    private let pages: UInt64

    init(_ source: any BlockSource, _ policy: CachePolicy) {
        precondition(policy.pageSize > 0 && policy.readers >= 0)
        self.source = source
        pageSize = UInt64(policy.pageSize)
        pages = (source.size + pageSize - 1) / pageSize
        state = Monitor(
            State(
                table: PageTable(budget: policy.budget),
                ahead: ReadAhead(
                    firstWindow: UInt64(policy.firstWindow) / pageSize,
                    largestWindow: UInt64(policy.largestWindow) / pageSize)))
    }

    // MARK: - Reading

    func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        if target.count == 0 { return }
        let wanted = offset / pageSize...(offset + UInt64(target.count) - 1) / pageSize
        var place = wanted.lowerBound
        var missed = false
        while place <= wanted.upperBound {
            switch state.access({ Self.take(place, upTo: wanted.upperBound, &$0) }) {
            case .there(let content):
                unsafe copy(content, of: place, to: target, at: offset)
                place += 1
            case .claimed(let claimed):
                missed = true
                for (number, content) in zip(claimed, try fetch(claimed)) {
                    unsafe copy(content, of: number, to: target, at: offset)
                }
                place = claimed.upperBound
            case .loading:
                // 3. It is there, or it is gone and will be claimed, when this returns.
                state.access(when: { !$0.table.isLoading(place) }, { _ in })
            }
        }
        state.access { state in
            state.counters.bytesServed += UInt64(target.count)
            let next = state.ahead.pages(after: wanted, missed: missed, end: pages)
            if !next.isEmpty && state.wanted.count < Self.mostWanted { state.wanted.append(next) }
        }
    }

    private enum Step {
        case there(PageTable.Content)
        case claimed(Range<UInt64>)
        case loading
    }

    /// 1. The page, or a run of missing pages from it on, claimed.
    private static func take(_ number: UInt64, upTo last: UInt64, _ state: inout State) -> Step {
        if state.table.isLoading(number) {
            state.counters.waits += 1
            return .loading
        }
        if let content = state.table.use(number) {
            state.counters.hits += 1
            return .there(content)
        }
        let claimed = claim(number...last, &state)
        state.counters.misses += UInt64(claimed.count)
        return .claimed(claimed)
    }

    private static func claim(_ range: ClosedRange<UInt64>, _ state: inout State) -> Range<UInt64> {
        var end = range.lowerBound
        while end <= range.upperBound, !state.table.has(end) {
            state.table.claim(end)
            end += 1
        }
        return range.lowerBound..<end
    }

    /// 2. Fetches claimed pages by one read and publishes them.
    private func fetch(_ claimed: Range<UInt64>) throws(Failure) -> [PageTable.Content] {
        do throws(Failure) {
            let contents = try load(claimed)
            state.access { state in
                state.counters.fetches += 1
                for (number, content) in zip(claimed, contents) {
                    if case .bytes(let bytes) = content { state.counters.bytesFetched += UInt64(bytes.count) }
                    state.counters.evicted += UInt64(state.table.fill(number, content))
                }
            }
            return contents
        } catch {
            state.access { state in for number in claimed { state.table.abandon(number) } }
            throw error
        }
    }

    private func load(_ claimed: Range<UInt64>) throws(Failure) -> [PageTable.Content] {
        let start = claimed.lowerBound * pageSize
        let end = min(claimed.upperBound * pageSize, source.size)
        if let first = try source.extents(in: start..<end).first, first.isHole, first.length >= end - start {
            return claimed.map { _ in .hole }
        }
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Int(end - start)) { buffer, count in
            count = buffer.count
            do throws(Failure) {
                unsafe try source.read(at: start, into: UnsafeMutableRawBufferPointer(buffer))
            } catch {
                problem = error
                unsafe buffer.initialize(repeating: 0)
            }
        }
        if let problem { throw problem }
        if claimed.count == 1 { return [.bytes(bytes)] }
        return claimed.map { number in
            let from = Int(number * pageSize - start)
            return .bytes(Array(bytes[from..<min(from + Int(pageSize), bytes.count)]))
        }
    }

    /// The part of a page that belongs to the read of `target` at `offset`.
    private func copy(
        _ content: PageTable.Content, of number: UInt64, to target: UnsafeMutableRawBufferPointer, at offset: UInt64
    ) {
        let pageStart = number * pageSize
        let from = max(pageStart, offset)
        let to = min(pageStart + pageSize, offset + UInt64(target.count))
        let piece = unsafe UnsafeMutableRawBufferPointer(rebasing: target[Int(from - offset)..<Int(to - offset)])
        switch content {
        case .loading: preconditionFailure("a page is copied once it is there")
        case .hole: unsafe piece.initializeMemory(as: UInt8.self, repeating: 0)
        case .bytes(let bytes):
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe piece.copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: bytes[Int(from - pageStart)..<Int(to - pageStart)]))
            }
        }
    }

    // MARK: - 4. Reading ahead

    func stop() { state.access { $0.isStopped = true } }

    func readAheadUntilStopped() {
        while let range = state.access(
            when: { $0.isStopped || !$0.wanted.isEmpty }, { $0.isStopped ? nil : $0.wanted.removeFirst() })
        {
            var place = range.lowerBound
            while place < range.upperBound {
                let claimed = state.access { state in
                    if state.isStopped { return place..<place }
                    let last = min(range.upperBound - 1, place + UInt64(Self.largestStep) / pageSize)
                    let claimed = Self.claim(place...last, &state)
                    state.counters.readAhead += UInt64(claimed.count)
                    return claimed
                }
                if claimed.isEmpty {
                    place += 1
                } else {
                    _ = try? fetch(claimed)
                    place = claimed.upperBound
                }
            }
        }
    }
}
