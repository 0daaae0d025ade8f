package import ObjectStore
package import Platform
internal import Sealing

/// Reads whole small objects and verifies each against the digest in its name; keeps the last ones, since sets are
/// read again and again while rules are judged.
package final class ObjectReader: PageSource {
    private let store: any ObjectStore
    private let kept = Monitor(Kept())

    private struct Kept {
        var bytes: [Digest: [UInt8]] = [:]
        var size = 0
    }
    private static let budget = 16 << 20

    package init(_ store: any ObjectStore) { self.store = store }

    package func page(_ candidates: [ObjectName]) throws(Failure) -> [UInt8] {
        guard let first = candidates.first else { throw Failure(.notFound, "an object that the log does not hold") }
        if let bytes = kept.access({ $0.bytes[first.digest] }) { return bytes }
        var problem: Failure?
        for name in candidates {
            do throws(Failure) {
                let bytes = try read(name)
                kept.access { kept in
                    if kept.size + bytes.count > Self.budget { kept = Kept() }
                    kept.bytes[name.digest] = bytes
                    kept.size += bytes.count
                }
                return bytes
            } catch { problem = problem ?? error }
        }
        throw problem ?? Failure(.notFound, "\(first) is not there")
    }

    /// One object by name, verified.
    /// - Throws: `.notFound`; `.damaged` when its bytes are not those its name promises.
    package func read(_ name: ObjectName) throws(Failure) -> [UInt8] {
        let bytes = try store.get(try name.key(), atMost: name.kind.largest)
        guard SHA256.hash(bytes) == name.digest else {
            throw Failure(
                .damaged, "\(name) in \(store.location) is damaged",
                advice: "It was left as it is. `breakwater repository check` says what needs it, and `repair "
                    + "--from` takes it from another vault.")
        }
        return bytes
    }
}

/// Pages and sets from this vault or, where they are damaged here, from another: the digest vouches for either.
struct PagesOfAnyVault: PageSource {
    let own: ObjectReader
    let alternates: [Repository]

    func page(_ candidates: [ObjectName]) throws(Failure) -> [UInt8] {
        do throws(Failure) {
            return try own.page(candidates)
        } catch {
            guard let wanted = candidates.first, error.code != .cancelled else { throw error }
            for vault in alternates {
                let names = vault.log.state.names(of: wanted.kind, wanted.digest)
                if let bytes = try? vault.objects.page(names) { return bytes }
            }
            throw error
        }
    }
}
