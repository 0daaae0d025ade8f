internal import ObjectStore
internal import Platform
internal import Sealing

extension Repository {
    /// Snapshots that were committed from the record on by which the log is interrupted, as far as they can be told:
    /// from authentic records that lie after it, and from manifests that the log as it is seen does not know. A manifest
    /// whose backup died just before its commit is among them.
    func hiddenSnapshots() throws(Failure) -> [Digest] {
        guard let cut = log.interruption else { return [] }
        let state = log.state
        var found: Set<Digest> = []
        var forgotten = state.forgotten
        for record in try log.recordsBeyond(cut.number) {
            switch record.body {
            case .commit(let commit): found.insert(commit.manifest.name.digest)
            case .forget(let snapshots): forgotten.formUnion(snapshots)
            default: break
            }
        }
        var after: StoreKey?
        repeat {
            let page = try store.list(prefix: "manifests/", after: after, limit: 1000)
            for name in page.compactMap({ ObjectName(path: $0.key.text) })
            where state.objects[name] == nil && !found.contains(name.digest) {
                let bytes = try? objects.read(name)
                let manifest = bytes.flatMap { try? Manifest($0, root: state.charter.root, repository: id) }
                if manifest != nil { found.insert(name.digest) }
            }
            after = page.last?.key
        } while after != nil
        return found.subtracting(forgotten).subtracting(state.snapshots.keys).sorted()
    }
}
