package import ObjectStore
package import Platform
internal import Sealing

extension CheckReport {
    /// What can be said of a vault that does not open since its genesis is lost in both halves, and no vault at hand has
    /// it: the record, and every snapshot of which there is a manifest. Nil where the genesis is not what is wrong.
    /// - Parameter isAlone: no other vault was named.
    package init?(ofLostGenesisIn store: any ObjectStore, isAlone: Bool) throws(Failure) {
        let key = try Record.key(0)
        let object: [UInt8]?
        do throws(Failure) {
            object = try store.recordObject(0)
        } catch  where error.code == .notFound { object = nil }
        for bytes in object.map({ Record.Halves($0).different }) ?? [] {
            if let repository = try? Record.identity(bytes).repository,
                (try? Record(bytes, repository: repository, vault: nil, number: 0, site: nil, root: nil)) != nil
            {
                return nil
            }
        }
        guard let lost = try Log.lostGenesis(of: store) else { return nil }
        self.init()
        var snapshots: Set<Digest> = []
        var after: StoreKey?
        repeat {
            let page = try store.list(prefix: "manifests/", after: after, limit: 1000)
            snapshots.formUnion(page.compactMap { ObjectName(path: $0.key.text)?.digest })
            after = page.last?.key
        } while after != nil
        objects = 1
        findings = [
            Finding(
                object: key.text, name: nil, damage: object == nil ? .missing : .unreadable,
                meaning: "\(lost.what): without it nothing here can be opened, and nothing else was checked",
                snapshots: snapshots.sorted(), recovery: isAlone ? .perhapsAnotherVault : .none)
        ]
    }
}
