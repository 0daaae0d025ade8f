internal import ArgumentParser

/// An amount of bytes as a person gives it: `10GiB`, `500MiB`, `2TiB`, or a plain number.
struct ByteCount: ExpressibleByArgument, Sendable {
    let bytes: UInt64

    private static let units: [(String, UInt64)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("PiB", 1 << 50), ("B", 1),
    ]

    init?(argument: String) {
        let unit = Self.units.first { argument.hasSuffix($0.0) }
        guard let count = UInt64(argument.dropLast(unit?.0.count ?? 0)), count > 0 else { return nil }
        let (bytes, isTooMuch) = count.multipliedReportingOverflow(by: unit?.1 ?? 1)
        guard !isTooMuch else { return nil }
        self.bytes = bytes
    }
}
