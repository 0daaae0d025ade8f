package import Platform
package import Sealing

/// What a collector remembers of the sessions it met from one run to the next. A session whose objects are the same
/// the next time, long enough after, is taken to be dead, and its claim let go.
///
/// Claims of sessions are comfort: whoever is let go by mistake loses time and never data. So a wrong clock, or a
/// memory that is lost or made up, costs comfort only.
package protocol ClaimWatch: Sendable {
    func sightings(in vault: VaultID) throws(Failure) -> [ClaimID: Sighting]
    func keep(_ sightings: [ClaimID: Sighting], in vault: VaultID) throws(Failure)
}

/// A session as a collector saw it.
package struct Sighting: Hashable, Sendable {
    /// Objects in the vault whose name carries the session, and their bytes together.
    package var objects: UInt64
    package var bytes: UInt64
    /// When it was first seen like this.
    package var time: Timestamp

    package init(objects: UInt64, bytes: UInt64, time: Timestamp) {
        self.objects = objects
        self.bytes = bytes
        self.time = time
    }

    /// Whether a session that is `now` as it was is still for at least that many seconds. A clock that went back says
    /// nothing.
    func isStill(now: Sighting, for seconds: Int64) -> Bool {
        guard objects == now.objects, bytes == now.bytes, now.time >= time else { return false }
        let (apart, isTooMuch) = now.time.nanoseconds.subtractingReportingOverflow(time.nanoseconds)
        return isTooMuch || apart / 1_000_000_000 >= seconds
    }

    /// What to remember of a session seen now: since when it has been like this.
    func merged(with known: Sighting?) -> Sighting {
        guard let known, known.objects == objects, known.bytes == bytes, known.time <= time else { return self }
        return known
    }
}

/// Remembers nothing: claims of sessions stay until the operator lets go of them, or space is short.
package struct NoClaimWatch: ClaimWatch {
    package init() {}
    package func sightings(in vault: VaultID) throws(Failure) -> [ClaimID: Sighting] { [:] }
    package func keep(_ sightings: [ClaimID: Sighting], in vault: VaultID) throws(Failure) {}
}
