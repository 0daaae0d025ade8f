package import ObjectStore
package import Platform

extension ObjectStore {
    /// What lies at a number of a log. Of an object longer than any record, `Record.largestObject` bytes and one more:
    /// enough to find a record in it that bytes were appended to, and what a void names otherwise.
    /// - Throws: `.notFound`; what the store throws.
    package func recordObject(_ number: UInt64, folder: String = "log") throws(Failure) -> [UInt8] {
        let key = try Record.key(number, folder: folder)
        guard let length = try length(of: key) else { throw Failure(.notFound, "\(key) is not in \(location)") }
        return try get(key, range: 0..<min(length, Record.largestObject + 1))
    }
}
