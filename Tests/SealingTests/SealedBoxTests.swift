import Platform
import Sealing
import Testing

/// Our sending half of HPKE against the library's receiving half.
struct SealedBoxTests {
    private func bytes(_ count: Int, _ seed: UInt8) -> [UInt8] {
        HKDF.derive(key: [seed], salt: [], info: [], count: count)
    }

    @Test(arguments: [0, 1, 32, 4000]) func theLibraryOpensWhatWeSeal(length: Int) throws {
        let reader = try ReaderKey(generation: 1, secret: bytes(32, 1))
        for info in [[], bytes(10, 2), bytes(300, 3)] {
            let plain = bytes(length, 4)
            let box = try SealedBox.seal(plain, to: reader.publicKey, info: info)
            #expect(try reader.open(box, info: info) == plain)
            #expect(throws: Failure(.damaged, "")) { try reader.open(box, info: info + [0]) }
        }
    }

    @Test func oneEphemeralKeyGivesOneBoxAndNoneGivesAnotherEachTime() throws {
        let reader = try ReaderKey(generation: 1, secret: bytes(32, 5))
        func seal(_ ephemeral: [UInt8]?) throws -> SealedBox {
            try SealedBox.seal([1, 2, 3], to: reader.publicKey, info: [9], ephemeral: ephemeral)
        }
        #expect(try seal(bytes(32, 6)) == seal(bytes(32, 6)))
        #expect(try seal(bytes(32, 6)) != seal(bytes(32, 7)))
        #expect(try seal(nil) != seal(nil))
    }

    @Test func whatIsNoPublicKeyIsRefused() {
        #expect(throws: Failure(.damaged, "")) { try SealedBox.seal([1], to: [1, 2, 3], info: []) }
        // The point at infinity gives a shared secret of zeros.
        #expect(throws: Failure(.damaged, "")) {
            try SealedBox.seal([1], to: [UInt8](repeating: 0, count: 32), info: [])
        }
    }
}
