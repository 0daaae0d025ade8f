internal import ObjectStore
internal import Platform
internal import Sealing

/// The site key, sealed beside the log.
///
/// 1. What is damaged is put back from its other copy, or from a copy of this very vault. 2. Where none serves then, the
/// site's key at hand is sealed anew; or what another place holds is taken, if the reader's key shows that it is this site's.
/// 3. What lies here once gets its second copy. 4. What nobody can read is deleted, once one is known to serve: no other
/// object speaks of its name.
///
/// Whoever may put objects can put bytes that look like a sealed site key. So what lies here serves if a reader key opens it
/// and the site's key is in it; without a reader key it is believed as long as nothing is deleted for it.
struct SiteKeyMend {
    private let repository: Repository
    private let objects: ObjectMend
    private let isDryRun: Bool

    init(_ repository: Repository, _ objects: ObjectMend, isDryRun: Bool) {
        self.repository = repository
        self.objects = objects
        self.isDryRun = isDryRun
    }

    func mend(_ findings: [CheckReport.Finding]) throws(Failure) -> RepairReport.Item.Outcome {
        let store = repository.store
        let state = try repository.log.refresh()
        guard !state.isDestroyed else { return .notNeeded("the repository was destroyed") }
        var how: String?
        var serving = try repository.siteKeys(in: store).map(\.object).filter(repository.mayServe)
        var unreadable: [ObjectName] = []
        for finding in findings {
            guard let name = finding.name else { continue }
            guard finding.isOfBytes, let found = try objects.bytes(of: name) else {
                unreadable.append(name)
                continue
            }
            how = "from \(found.from)"
            if !isDryRun { try store.mend(try name.key(), found.bytes, use: .log, isMissing: false) }
            if let object = try? SiteKeyObject(found.bytes), repository.mayServe(object) { serving.append(object) }
        }
        if serving.isEmpty || !(unreadable.isEmpty || repository.judgesSiteKeys) {
            if repository.keys.site != nil, let reader = state.readers[state.newestReader] {
                if !isDryRun { try repository.putSiteKey(reader: reader) }
                how = "by the site's key at hand"
            } else if let found = try borrow() {
                if !isDryRun { try store.mend(try found.name.key(), found.bytes, use: .log, isMissing: true) }
                how = "from \(found.from)"
            } else if serving.isEmpty {
                return .left("it is sealed again where the site's key is kept; nothing was deleted")
            } else {
                return .left("whether the other that lies there serves, only the passphrase tells; nothing was deleted")
            }
        }
        if !isDryRun {
            _ = try repository.completeSiteKeys()
            for name in unreadable { try store.deletePatiently(try name.key(), repository.surroundings) }
        }
        return .healed(how ?? "another is whole")
    }

    private func borrow() throws(Failure) -> (name: ObjectName, bytes: [UInt8], from: String)? {
        for vault in repository.alternates {
            for held in try repository.siteKeys(in: vault.store) {
                guard let name = held.names.first,
                    held.object.open(repository.keys.readers, repository: repository.id)?.verifying
                        == repository.log.state.site
                else { continue }
                return (name, held.object.bytes, vault.store.location)
            }
        }
        return nil
    }
}
