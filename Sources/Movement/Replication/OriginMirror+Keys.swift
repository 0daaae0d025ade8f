internal import ObjectStore
internal import Platform
internal import Repository
internal import Sealing

/// What the origin's owner changed of the keys, carried on: generations, envelopes sealed anew, revocations, the end.
extension OriginMirror {
    /// 1. The site key is sealed to a new reader generation before the log here names it. 2. The root's statements are
    /// appended. 3. Envelopes that the root had sealed anew come next, by which 4. old generations can be retired here
    /// too. 5. After a destruction no slot stays.
    func passOnKeys() throws {
        let there = source.log.state
        if there.newestReader > target.log.state.newestReader, let reader = there.readers[there.newestReader] {
            try target.putSiteKey(reader: reader)
        }
        try passOnStatements()
        if try !target.log.refresh().isDestroyed, try carryResealed() { try passOnStatements() }
        if try target.log.refresh().isDestroyed { try target.destroySlots() }
    }

    private static let attempts = 10

    /// Brings envelopes that lie beside the first ones at the origin and not here.
    /// - Returns: whether there were any.
    private func carryResealed() throws -> Bool {
        let there = source.log.state
        var wanted = lacking()
        guard !wanted.isEmpty, there.head > 0 else { return false }
        for number in 1...there.head where !wanted.isEmpty {
            guard let record = try? record(number), case .reseal(let statement, _) = record.body,
                case .resealed(_, let said) = statement.content
            else { continue }
            let carried = said.filter { wanted[$0.envelope] == $0.session }
            guard !carried.isEmpty else { continue }
            try carry(statement, carried.map(\.envelope))
            for entry in carried { wanted[entry.envelope] = nil }
        }
        return true
    }

    /// Envelopes of sessions that a snapshot needs which is, or may come, here: by digest.
    private func lacking() -> [Digest: SessionID] {
        let (there, here) = (source.log.state, target.log.state)
        guard !there.resealed.isEmpty else { return [:] }
        var wanted: [Digest: SessionID] = [:]
        for (id, snapshot) in there.snapshots where !snapshot.isForgotten && !here.forgotten.contains(id) {
            for reference in snapshot.clear.envelopes {
                let held = here.resealed[reference.session]?.envelopes ?? [:]
                for (generation, digest) in there.resealed[reference.session]?.envelopes ?? [:]
                where held[generation] == nil && generation >= here.oldestReader && there.isLive(.envelope, digest) {
                    wanted[digest] = reference.session
                }
            }
        }
        return wanted
    }

    private func carry(_ statement: Statement, _ digests: [Digest]) throws {
        for attempt in 1... {
            let session = SessionID.random(target.surroundings)
            var objects: [ObjectRef] = []
            for digest in digests {
                // One that cannot be had leaves its session as it is.
                guard let bytes = try? source.object(.envelope, digest) else { continue }
                objects.append(try Repository.put(bytes, as: .envelope, session: session, target.store))
            }
            guard !objects.isEmpty else { return }
            do {
                try target.appendAsSite { _ in .reseal(statement, objects) }
                return
            } catch let failure as Failure where failure.code == .refused {
                // A collector took for orphans what was just put; or the generation is gone here by now.
                if attempt >= Self.attempts { return }
            }
        }
    }
}
