import Glibc
package import Platform

extension DirectoryStore {
    /// Walks the directories in the order of keys, which is not the order of names: `a/b` comes after `a.b`, as
    /// the slash counts. Directories that cannot hold a key of the page are not opened; what is no regular file
    /// or has a name that is no key is not listed.
    package func list(prefix: String, after: StoreKey?, limit: Int) throws(Failure) -> [StoredObject] {
        var page = Page(prefix: Array(prefix.utf8), after: after.map { Array($0.text.utf8) } ?? [], limit: limit)
        if limit > 0 { try walk(root, [], into: &page) }
        return page.objects
    }

    private struct Page {
        let prefix: [UInt8]
        let after: [UInt8]
        let limit: Int
        var objects: [StoredObject] = []
        var isFull: Bool { objects.count >= limit }

        /// Whether a key can start with `path` (which ends in a slash) and belong to the page.
        func reaches(_ path: [UInt8]) -> Bool {
            guard path.starts(with: prefix) || prefix.starts(with: path) else { return false }
            return after.starts(with: path) || after.lexicographicallyPrecedes(path)
        }

        func holds(_ key: [UInt8]) -> Bool { key.starts(with: prefix) && after.lexicographicallyPrecedes(key) }
    }

    private func walk(_ directory: borrowing Directory, _ path: [UInt8], into page: inout Page) throws(Failure) {
        let slash = UInt8(ascii: "/")
        var found: [(key: [UInt8], entry: DirectoryEntry)] = []
        for var entry in try directory.entries() {
            if entry.kind == .unknown {
                guard let status = try directory.status(of: entry.name) else { continue }
                entry.kind = status.kind
            }
            let key = path + entry.name
            switch entry.kind {
            case .file where page.holds(key): found.append((key, entry))
            case .directory where page.reaches(key + [slash]) && key != Array(Self.temporaries.utf8):
                found.append((key + [slash], entry))
            default: continue
            }
        }
        found.sort { $0.key.lexicographicallyPrecedes($1.key) }
        for (key, entry) in found {
            if page.isFull { return }
            if entry.kind == .directory {
                do throws(Failure) {
                    try walk(try directory.directory(entry.name), key, into: &page)
                } catch {
                    guard error.code == .notFound else { throw error }
                }
            } else if let name = StoreKey(String(decoding: key, as: UTF8.self)),
                let status = try directory.status(of: entry.name), status.kind == .file
            {
                page.objects.append(StoredObject(key: name, length: status.size))
            }
        }
    }
}
