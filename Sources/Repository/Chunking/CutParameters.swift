/// How long chunks are, in bytes. Part of a repository's genesis: two that differ here share nothing.
package struct CutParameters: Sendable, Equatable {
    /// No chunk is shorter, but for the last of its content.
    package var minimum: Int
    /// Where the scanner turns from reluctant to eager; the mean of what it cuts lies a little above.
    package var average: Int
    /// No chunk is longer.
    package var maximum: Int

    package init(minimum: Int = 32 << 10, average: Int = 128 << 10, maximum: Int = 512 << 10) {
        self.minimum = minimum
        self.average = average
        self.maximum = maximum
    }

    /// Whether a scanner can work with them; whoever reads parameters from a store asks before making one.
    package var areSound: Bool {
        minimum >= BoundaryScanner.window && minimum <= average && average <= maximum && maximum <= 1 << 30
    }
}
