internal import ObjectStore
internal import Platform
internal import Sealing

/// The site key, sealed beside the log.
///
/// 1. What is damaged is put back from its other copy, or from a copy of this very vault. 2. Where none is whole then, the
/// site's key at hand is sealed anew; or what another place holds is taken, if the reader's key shows that it is this site's.
/// 3. What lies here once gets its second copy. 4. What nobody can read is deleted: no other object speaks of its name.
struct SiteKeyMend {
    private let repository: Repository
    private let objects: ObjectMend
    private let isDryRun: Bool

    init(_ repository: Repository, _ objects: ObjectMend, isDryRun: Bool) {
        self.repository = repository
        self.objects = objects
        self.isDryRun = isDryRun
    }

    func mend(_ damaged: [ObjectName]) throws(Failure) -> RepairReport.Item.Outcome {
        let store = repository.store
        let state = try repository.log.refresh()
        guard !state.isDestroyed else { return .notNeeded("the repository was destroyed") }
        var how: String?
        var unreadable: [ObjectName] = []
        for name in damaged {
            guard let found = try objects.bytes(of: name) else {
                unreadable.append(name)
                continue
            }
            how = "from \(found.from)"
            if !isDryRun { try store.mend(try name.key(), found.bytes, use: .log, isMissing: false) }
        }
        if how == nil, try repository.siteKeys(in: store).isEmpty {
            if repository.keys.site != nil, let reader = state.readers[state.newestReader] {
                if !isDryRun { try repository.putSiteKey(reader: reader) }
                how = "by the site's key at hand"
            } else if let found = try borrow() {
                if !isDryRun { try store.mend(try found.name.key(), found.bytes, use: .log, isMissing: true) }
                how = "from \(found.from)"
            } else {
                return .left("it is sealed again where the site's key is kept")
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
