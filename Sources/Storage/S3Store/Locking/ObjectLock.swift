internal import Foundation
package import Platform

/// For how long, and how hard, what is put into a locked bucket is locked.
package struct ObjectLock: Sendable, Equatable {
    /// `governance` can be lifted by whom the store's owner lets (`s3:BypassGovernanceRetention`), `compliance` by nobody,
    /// the owner among them.
    package enum Mode: String, Sendable {
        case governance, compliance
        /// As S3 writes it.
        var word: String { rawValue.uppercased() }
    }

    package let mode: Mode
    /// Seconds for which a snapshot stays locked, at least, from its commit on.
    package let term: Int64

    /// Seconds that are locked beyond the term each time, so that what is leaned on again and again is extended once in so
    /// long, and not by each backup.
    package var lead: Int64 { term / 8 }

    package static let longest: Int64 = 36_500 * 86_400

    package init(mode: Mode = .governance, term: Int64) {
        self.mode = mode
        self.term = max(1, min(term, Self.longest))
    }

    /// Of `retain=` and `mode=` in a vault's address; nil where it says neither.
    /// - Throws: `.usage` for what makes no sense.
    package init?(_ parameters: [String: String]) throws(Failure) {
        guard let text = parameters["retain"] else {
            guard parameters["mode"] == nil else {
                throw Failure(.usage, "mode= says how objects are locked, and retain= is not there to say how long")
            }
            return nil
        }
        let units: [Character: Int64] = ["d": 86_400, "h": 3600, "m": 60, "s": 1]
        guard let unit = text.last.flatMap({ units[$0] }), text.utf8.count <= 10,
            text.dropLast().utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let count = Int64(text.dropLast()), count > 0, count <= Self.longest / unit
        else {
            throw Failure(
                .usage, "\(text.prefix(32)) is no time to lock objects for",
                advice: "Write retain=30d, or 12h, at most 36500d")
        }
        guard let mode = Mode(rawValue: parameters["mode"] ?? Mode.governance.rawValue) else {
            throw Failure(
                .usage, "\(parameters["mode", default: ""].prefix(32)) is no way to lock objects",
                advice: "Use mode=governance or mode=compliance")
        }
        self.init(mode: mode, term: count * unit)
    }

    /// What is said of an address by which nothing can be put into its locked bucket.
    static func hasNoTerm(in bucket: String) -> Failure {
        Failure(
            .usage, "bucket \(bucket) locks what is put there, and the vault's address does not say for how long",
            advice: "Add retain=30d, for one, to the address")
    }

    /// What a lock that is set now says: whole seconds, rounded up.
    func end(now: Timestamp) -> Timestamp {
        Timestamp(seconds: (now.nanoseconds + 999_999_999) / 1_000_000_000 + term + lead)
    }

    /// Whether a lock that ends then holds for the term from now on.
    func isMet(by end: Timestamp, now: Timestamp) -> Bool {
        let (until, isTooMuch) = now.nanoseconds.addingReportingOverflow(term * 1_000_000_000)
        return isTooMuch ? end.nanoseconds == .max : end.nanoseconds >= until
    }

    /// Of an upload.
    func headers(now: Timestamp) -> [(name: String, value: String)] {
        [
            ("x-amz-object-lock-mode", mode.word),
            ("x-amz-object-lock-retain-until-date", Self.text(end(now: now))),
        ]
    }

    /// `2026-12-30T11:15:34Z`.
    package static func text(_ time: Timestamp) -> String { time.utc.prefix { $0 != "." && $0 != "Z" } + "Z" }

    /// A time as stores write it, with or without a fraction, which is dropped. Nil for what is none; one that lies further
    /// off than times reach is the last there is.
    package static func time(_ text: String) -> Timestamp? {
        let whole = text.prefix { $0 != "." && $0 != "Z" }
        guard whole.utf8.count == 19, text.utf8.last == UInt8(ascii: "Z"),
            let date = try? Date.ISO8601FormatStyle().parse(whole + "Z")
        else { return nil }
        let seconds = date.timeIntervalSince1970
        return abs(seconds) < 9_000_000_000 ? Timestamp(seconds: Int64(seconds)) : Timestamp(nanoseconds: .max)
    }
}
