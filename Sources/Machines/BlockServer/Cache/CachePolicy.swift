/// How much to keep and how far to look ahead. The defaults suit a desktop booting from another site: a boot reads
/// about 18 MB in some 900 pages, mostly one after another, so what counts is how many of them have to wait.
///
/// Measured with the fixture desktop under TCG on a busy machine of two cores (seconds to the ready line; the image
/// itself, without a server: 8.4 to 8.9):
///
/// | delay of each read of the source | without a cache | with it |
/// |---|---|---|
/// | 0 ms | 8.5 to 10.0 | 5.9 to 10.4 |
/// | 5 ms | 14.9 to 17.8 | 6.1 to 10.2 |
/// | 20 ms | 24.4 to 30.1 | 5.6 to 12.2 |
///
/// Of 930 pages 14 had to be fetched while the guest waited, 358 came ahead of it, in 49 reads of the source.
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
