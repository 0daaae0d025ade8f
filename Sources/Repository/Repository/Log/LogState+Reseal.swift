package import Platform
package import Sealing

/// Envelopes beside the first: a session's data key sealed again, to a newer reader generation.
///
/// The root says which they are (`Statement.resealed`), since a manifest's signature covers the first envelope only and
/// a site vouches for no data; the site orders when, and brings the objects. Until the older generations are retired
/// both the first and the newer ones are needed, so that a holder of either key reads; from then on the newer alone.
extension LogState {
    /// What of a session lies beside its first envelope.
    package struct Resealing: Hashable, Sendable {
        /// By the generation it is sealed to.
        package internal(set) var envelopes: [UInt32: Digest] = [:]
        /// The first envelope is sealed to a generation that was retired: nobody needs it.
        package internal(set) var replacesFirst = false
    }

    /// Envelopes of a session that a snapshot needs, when its manifest names it so: the best to open first.
    package func wraps(of reference: ClearPart.SessionEnvelope) -> [Digest] {
        guard let resealing = resealed[reference.session] else { return [reference.envelope] }
        var wraps = resealing.envelopes.sorted { $0.key > $1.key }.map(\.value)
        if !resealing.replacesFirst, !wraps.contains(reference.envelope) { wraps.append(reference.envelope) }
        return wraps
    }

    /// Whether a live object of that kind holds the digest here.
    func holdsLive(_ kind: ObjectKind, _ digest: Digest) -> Bool {
        objects.names(of: digest).contains { $0.kind == kind && objects[$0]?.status == .live }
    }

    /// The envelope of each session that some snapshot here carries and that a new one may lean on.
    package var envelopes: [SessionID: Digest] {
        let known = oldestReader > 1 ? sealedGenerations : [:]
        var found: [SessionID: Digest] = [:]
        for snapshot in snapshots.values {
            for reference in snapshot.clear.envelopes where found[reference.session] == nil {
                guard oldestReader == 1 || known[reference.session] ?? 0 >= oldestReader else { continue }
                found[reference.session] = wraps(of: reference).first { holdsLive(.envelope, $0) }
            }
        }
        return found
    }

    /// The newest generation to which a session is known to be sealed here: by the commit of its own, or by a live
    /// envelope beside the first.
    package var sealedGenerations: [SessionID: UInt32] {
        var known: [SessionID: UInt32] = [:]
        for snapshot in snapshots.values {
            known[snapshot.clear.session] = max(
                known[snapshot.clear.session] ?? 0, snapshot.clear.readerGeneration)
        }
        for (session, resealing) in resealed {
            let live = resealing.envelopes.filter { holdsLive(.envelope, $0.value) }.keys.max() ?? 0
            known[session] = max(known[session] ?? 0, live)
        }
        return known.filter { $0.value > 0 }
    }

    /// Reader generations that were made and not retired.
    var generationsInUse: Set<UInt32> { Set(readers.keys.filter { $0 >= oldestReader }) }

    /// Whether a snapshot that is needed here does not open by these generations.
    func needsMore(than generations: Set<UInt32>) -> Bool {
        let missing = generationsInUse.subtracting(generations)
        guard !missing.isEmpty else { return false }
        let known = sealedGenerations
        return neededSnapshots.contains { snapshot in
            snapshot.clear.envelopes.contains { missing.contains(known[$0.session] ?? 0) }
        }
    }

    /// Snapshots that are not forgotten, or that a claim holds.
    package var neededSnapshots: [Committed] {
        let claimed = Set(claims.values.compactMap(\.scope.snapshot))
        return snapshots.filter { !$0.value.isForgotten || claimed.contains($0.key) }.values.sorted {
            $0.record < $1.record
        }
    }

    // MARK: - Rules

    /// The root's, of the newest generation, in a repository that requires its readers to know of it.
    mutating func reseal(_ statement: Statement, _ listed: [ObjectRef], record: UInt64) throws {
        guard statement.repository == repository, statement.verifies(root: charter.root),
            case .resealed(let generation, let envelopes) = statement.content
        else { throw RuleBroken("the root did not say so") }
        guard charter.features.contains(Charter.reseal) else {
            throw RuleBroken("the repository does not require its programs to know re-sealed envelopes")
        }
        guard generation <= newestReader, generation >= oldestReader else {
            throw RuleBroken("it is sealed to a reader generation that is not in use")
        }
        let said = Dictionary(envelopes.map { ($0.envelope, $0.session) }, uniquingKeysWith: { first, _ in first })
        for object in listed {
            guard object.name.kind == .envelope, said[object.name.digest] != nil else {
                throw RuleBroken("\(object.name) is no envelope that the root speaks of")
            }
            guard
                objects[object.name].map({ $0.status == .live && $0.length == object.length })
                    ?? !closedSessions.contains(object.name.session)
            else { throw RuleBroken("\(object.name) is no live envelope") }
        }
        for object in listed {
            if objects[object.name] == nil { hold(object, since: record) }
            guard let session = said[object.name.digest] else { continue }
            resealed[session, default: Resealing()].envelopes[generation] = object.name.digest
        }
    }

    /// A generation goes when no needed session is sealed to it alone.
    mutating func retire(below: UInt32) throws {
        guard below <= newestReader, below > oldestReader else { throw RuleBroken("nothing to retire") }
        let known = sealedGenerations
        for snapshot in neededSnapshots {
            for reference in snapshot.clear.envelopes where known[reference.session] ?? 0 < below {
                throw RuleBroken(
                    "snapshot \(snapshot.manifest.name.digest) is sealed to a generation before \(below)")
            }
        }
        oldestReader = below
        resealed = resealed.compactMapValues { resealing in
            let kept = resealing.envelopes.filter { $0.key >= below }
            return kept.isEmpty ? nil : Resealing(envelopes: kept, replacesFirst: true)
        }
    }

    /// What a native commit leans on is sealed to generations in use.
    func refuseRetired(_ clear: ClearPart) throws {
        guard oldestReader > 1 else { return }
        let known = sealedGenerations
        for reference in clear.envelopes
        where reference.session != clear.session && known[reference.session] ?? 0 < oldestReader {
            throw RuleBroken("session \(reference.session) is not known to be sealed to a generation in use")
        }
    }

    /// Envelopes that were collected are no longer beside anything.
    mutating func dropResealed(_ names: [ObjectName]) {
        guard !resealed.isEmpty else { return }
        let gone = Set(names.filter { $0.kind == .envelope && objects.names(of: $0.digest).isEmpty }.map(\.digest))
        guard !gone.isEmpty else { return }
        resealed = resealed.compactMapValues { resealing in
            var left = resealing
            left.envelopes = resealing.envelopes.filter { !gone.contains($0.value) }
            return left.envelopes.isEmpty ? nil : left
        }
    }

    // MARK: - In a checkpoint

    /// The last list of a checkpoint; a state that holds none leaves it out, as states did before there were any.
    func encodeResealed(to encoder: inout CanonicalEncoder) {
        guard !resealed.isEmpty else { return }
        encoder.list(resealed.sorted { $0.key < $1.key }) {
            $0.identifier($1.key)
            $0.byte($1.value.replacesFirst ? 1 : 0)
            $0.list($1.value.envelopes.sorted { $0.key < $1.key }) {
                $0.number(UInt64($1.key))
                $0.digest($1.value)
            }
        }
    }

    mutating func decodeResealed(_ decoder: inout CanonicalDecoder) throws(Failure) {
        resealed = [:]
        guard decoder.remaining > 0 else { return }
        let held = try decoder.list(smallest: 18) { (inner: inout CanonicalDecoder) throws(Failure) in
            let session: SessionID = try inner.identifier()
            let replacesFirst = try inner.number(atMost: 1) == 1
            let envelopes = try inner.list(smallest: 33) { (innermost: inout CanonicalDecoder) throws(Failure) in
                (try innermost.number32(), try innermost.digest())
            }
            return (
                session,
                Resealing(
                    envelopes: Dictionary(envelopes, uniquingKeysWith: { first, _ in first }),
                    replacesFirst: replacesFirst)
            )
        }
        resealed = Dictionary(held, uniquingKeysWith: { first, _ in first })
    }
}
