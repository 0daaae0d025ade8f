/// Pages by number, those not used for longest at one end of a chain: the bookkeeping of a cache, without threads.
struct PageTable {
    typealias Number = UInt64

    enum Content {
        /// Somebody is fetching it.
        case loading
        /// Zeros: never kept, because asking the source again costs as little as remembering.
        case hole
        case bytes([UInt8])
    }

    private struct Page {
        var content: Content
        var older: Number?
        var newer: Number?
    }

    private var pages: [Number: Page] = [:]
    private var oldest: Number?
    private var newest: Number?
    private(set) var size = 0
    let budget: Int

    init(budget: Int) { self.budget = budget }

    var count: Int { pages.count }

    /// Looks without counting it as a use.
    func has(_ number: Number) -> Bool { pages[number] != nil }

    func isLoading(_ number: Number) -> Bool {
        if case .loading = pages[number]?.content { true } else { false }
    }

    /// Looks, and makes it the most recently used.
    mutating func use(_ number: Number) -> Content? {
        guard let page = pages[number] else { return nil }
        if case .bytes = page.content, newest != number {
            unlink(number, page)
            linkNewest(number)
        }
        return page.content
    }

    /// Claims a missing page.
    mutating func claim(_ number: Number) {
        precondition(pages[number] == nil, "a page is claimed once")
        pages[number] = Page(content: .loading)
    }

    /// A claimed page that could not be had: whoever wants it claims it anew.
    mutating func abandon(_ number: Number) { pages[number] = nil }

    /// Fills a claimed page.
    /// - Returns: how many others had to go for it.
    mutating func fill(_ number: Number, _ content: Content) -> Int {
        guard case .bytes(let bytes) = content else {
            pages[number] = nil
            return 0
        }
        pages[number]?.content = content
        size += bytes.count
        linkNewest(number)
        var gone = 0
        while size > budget, let victim = oldest, victim != number {
            if let page = pages[victim], case .bytes(let bytes) = page.content {
                size -= bytes.count
                unlink(victim, page)
            }
            pages[victim] = nil
            gone += 1
        }
        return gone
    }

    private mutating func unlink(_ number: Number, _ page: Page) {
        if let older = page.older { pages[older]?.newer = page.newer } else { oldest = page.newer }
        if let newer = page.newer { pages[newer]?.older = page.older } else { newest = page.older }
    }

    private mutating func linkNewest(_ number: Number) {
        pages[number]?.older = newest
        pages[number]?.newer = nil
        if let newest { pages[newest]?.newer = number } else { oldest = number }
        newest = number
    }
}
