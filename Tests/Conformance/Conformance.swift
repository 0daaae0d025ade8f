package import ObjectStore
import Platform

/// A store that does not keep the contract of `ObjectStore`, and in what.
package struct Nonconformance: Error, CustomStringConvertible {
    package var violations: [String]
    package var description: String { violations.joined(separator: "\n") }
}

/// Holds a store to the guarantees that `ObjectStore` states, by number. Every store of the product and every double
/// passes it, so that what is proven over a double holds for the real one.
///
/// `make` hands out a new, empty store at each call; `reopen` opens the same objects once more, as another client.
package func assertConformance(
    of make: () throws -> any ObjectStore, reopen: ((any ObjectStore) throws -> any ObjectStore)? = nil
) throws {
    var violations: [String] = []
    for (name, check) in checks {
        do {
            let store = try make()
            try check(store, try reopen?(store) ?? store)
        } catch let error as Violation {
            violations.append("\(name): \(error.what)")
        } catch {
            violations.append("\(name): unexpected \(error)")
        }
    }
    if !violations.isEmpty { throw Nonconformance(violations: violations) }
}

struct Violation: Error { var what: String }

func hold(_ condition: Bool, _ what: String) throws {
    if !condition { throw Violation(what: what) }
}

/// The call has to fail with this code.
func expect(_ code: Failure.Code, _ what: String, _ body: () throws(Failure) -> Void) throws {
    do {
        try body()
    } catch {
        return try hold(error.code == code, "\(what) failed with \(error.code), not \(code): \(error)")
    }
    throw Violation(what: "\(what) did not fail")
}

func key(_ text: String) throws -> StoreKey {
    guard let key = StoreKey(text) else { throw Violation(what: "\(text) is no key") }
    return key
}
