/// How much to keep and how far to look ahead. The defaults suit a desktop booting from another site: a boot reads
/// about 18 MB in 700 small pieces, one after another, so what counts is how many of them have to wait.
package struct CachePolicy: Sendable, Equatable {
    /// Bytes of pages kept.
    package var budget = 64 << 20
    package var pageSize = 65536
    /// Read ahead after a miss, and after the first step of a sequence; doubled with each further step.
    package var firstWindow = 256 << 10
    package var largestWindow = 2 << 20
    /// Threads that read ahead.
    package var readers = 2

    package init() {}
}

/// What a cache has done so far.
package struct CacheCounters: Sendable, Equatable, Codable {
    /// Pages that were there when they were asked for.
    package var hits: UInt64 = 0
    /// Pages that somebody else was already fetching: one flight serves all who wait.
    package var waits: UInt64 = 0
    /// Pages that had to be fetched while the asker waited.
    package var misses: UInt64 = 0
    /// Pages fetched before anybody asked.
    package var readAhead: UInt64 = 0
    package var evicted: UInt64 = 0
    package var bytesServed: UInt64 = 0
    package var bytesFetched: UInt64 = 0
    /// Reads of the source; each may fetch several pages.
    package var fetches: UInt64 = 0
}
