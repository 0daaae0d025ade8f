import Crypto
import Foundation
package import Model
package import Platform

/// Wraps what must not lie in the catalog in clear, with a master key that never leaves this machine.
///
/// AES-256-GCM under a fresh random 96-bit nonce; the tenant's id is authenticated with it, so that one tenant's keys
/// put in another's row do not open.
package struct Keyring: Sendable {
    private let master: SymmetricKey

    package init(masterKey: [UInt8]) {
        precondition(masterKey.count == 32)
        master = SymmetricKey(data: masterKey)
    }

    package func wrap(_ secret: [UInt8], of tenant: Tenant.ID) throws(Failure) -> [UInt8] {
        do {
            guard let sealed = try AES.GCM.seal(secret, using: master, authenticating: Self.label(tenant)).combined
            else {
                throw Failure(.failed, "AES-GCM took another nonce than its own")
            }
            return [UInt8](sealed)
        } catch { throw Failure(.failed, "The keys of tenant \(tenant) cannot be wrapped") }
    }

    /// - Throws: `.damaged` when these are not the tenant's keys under this master key.
    package func unwrap(_ wrapped: [UInt8], of tenant: Tenant.ID) throws(Failure) -> [UInt8] {
        do {
            return [UInt8](
                try AES.GCM.open(.init(combined: wrapped), using: master, authenticating: Self.label(tenant)))
        } catch {
            throw Failure(
                .damaged, "The keys of tenant \(tenant) do not open under the master key",
                advice: "See that master.key is the one this catalog was written with")
        }
    }

    private static func label(_ tenant: Tenant.ID) -> Data { Data("breakwater tenant keys v1\n\(tenant)".utf8) }
}
