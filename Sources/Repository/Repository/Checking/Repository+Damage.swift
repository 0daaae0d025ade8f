internal import Platform
internal import Sealing

extension Repository {
    /// Records the damaged packs of a report in the log, so that no later backup leans on them: writers store that
    /// content again. A check does not do this by itself.
    ///
    /// Signed by the site where its key is at hand, otherwise by the author of this run, who must be a reader.
    /// - Returns: the packs now recorded; none when there was nothing to record, and then nothing is appended.
    @discardableResult
    package func recordDamage(_ report: CheckReport) throws -> [ObjectName] {
        try recordDamage(of: report.findings.compactMap(\.name).filter { $0.kind == .pack })
    }

    /// The same of some packs.
    func recordDamage(of packs: [ObjectName]) throws -> [ObjectName] {
        let state = try log.refresh()
        let references = packs.compactMap { name in
            state.objects[name].flatMap { $0.status == .live ? ObjectRef(name: name, length: $0.length) : nil }
        }
        guard !references.isEmpty else { return [] }
        let body = RecordBody.damaged(try listing(references, session: .random(surroundings)))
        if keys.site != nil { try appendAsSite { _ in body } } else { try appendAsAuthor { _ in body } }
        return references.map(\.name)
    }
}
