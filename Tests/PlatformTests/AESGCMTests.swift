import Platform
import Testing

@Suite struct AESGCMTests {
    static let key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
    static let plain =
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
    static let sealed =
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"

    struct Vector: Sendable {
        var key: String
        var prefix: UInt32
        var nonce: UInt64
        var associated: String
        var plain: String
        var sealed: String
    }

    /// Test cases 13 to 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", which NIST took over.
    @Test(arguments: [
        Vector(
            key: String(repeating: "0", count: 64), prefix: 0, nonce: 0, associated: "", plain: "",
            sealed: "530f8afbc74536b9a963b4f1c4cb738b"),
        Vector(
            key: String(repeating: "0", count: 64), prefix: 0, nonce: 0, associated: "",
            plain: String(repeating: "0", count: 32),
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        Vector(
            key: key, prefix: 0xcafe_babe, nonce: 0xface_dbad_deca_f888, associated: "", plain: plain,
            sealed: sealed + "b094dac5d93471bdec1a502270e3cc6c"),
        Vector(
            key: key, prefix: 0xcafe_babe, nonce: 0xface_dbad_deca_f888,
            associated: "feedfacedeadbeeffeedfacedeadbeefabaddad2", plain: String(plain.prefix(120)),
            sealed: String(sealed.prefix(120)) + "76fc6ece0f4e1768cddf8853bb2d551b"),
    ])
    func theAnswersOfNIST(vector: Vector) throws {
        let cipher = AESGCM(key: try #require(Hex.decode(vector.key)), noncePrefix: vector.prefix)
        let plain = try #require(Hex.decode(vector.plain))
        let associated = try #require(Hex.decode(vector.associated))
        for _ in 0..<2 {
            let sealed = cipher.sealed(plain, vector.nonce, associated)
            #expect(Hex.encode(sealed) == vector.sealed)
            #expect(try cipher.opened(sealed, vector.nonce, associated) == plain)
        }
    }

    @Test func roundTripsOfManyLengthsAndNonces() throws {
        let cipher = AESGCM(key: [UInt8](repeating: 7, count: 32))
        for (number, count) in [0, 1, 15, 16, 17, 300, 4096, 65536, 100_001].enumerated() {
            let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let nonce = UInt64.max - UInt64(number)
            let sealed = cipher.sealed(plain, nonce, [1, 2, 3])
            #expect(sealed.count == count + AESGCM.tagByteCount)
            #expect(try cipher.opened(sealed, nonce, [1, 2, 3]) == plain)
        }
    }

    @Test func sealingAndOpeningInPlace() throws {
        let cipher = AESGCM(key: [UInt8](repeating: 7, count: 32))
        let plain = [UInt8]((0..<1000).map { UInt8(truncatingIfNeeded: $0) })
        var buffer = plain + [UInt8](repeating: 0, count: 16)
        try buffer.withUnsafeMutableBytes { bytes in
            cipher.seal(UnsafeRawBufferPointer(rebasing: bytes[..<1000]), nonce: 5, associated: [], into: bytes)
            #expect(Array(bytes) == cipher.sealed(plain, 5, []))
            try cipher.open(
                UnsafeRawBufferPointer(bytes), nonce: 5, associated: [],
                into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<1000]))
        }
        #expect(Array(buffer.prefix(1000)) == plain)
    }

    @Test func whateverIsChangedIsDamagedAndLeavesNothingReadable() throws {
        let cipher = AESGCM(key: [UInt8](repeating: 7, count: 32))
        let plain = [UInt8](repeating: 0x55, count: 40)
        let sealed = cipher.sealed(plain, 9, [1])
        for place in sealed.indices {
            var changed = sealed
            changed[place] ^= 0x10
            #expect(throws: Failure(.damaged, "")) { try cipher.opened(changed, 9, [1]) }
        }
        #expect(throws: Failure(.damaged, "")) { try cipher.opened(sealed, 10, [1]) }
        #expect(throws: Failure(.damaged, "")) { try cipher.opened(sealed, 9, []) }
        #expect(throws: Failure(.damaged, "")) { try cipher.opened(Array(sealed.dropLast()), 9, [1]) }
        #expect(throws: Failure(.damaged, "")) { try cipher.opened(Array(sealed.prefix(15)), 9, [1]) }
        #expect(throws: Failure(.damaged, "")) {
            try AESGCM(key: [UInt8](repeating: 8, count: 32)).opened(sealed, 9, [1])
        }
        var out = [UInt8](repeating: 1, count: 40)
        var changed = sealed
        changed[50] ^= 1
        #expect(throws: Failure(.damaged, "")) {
            try out.withUnsafeMutableBytes { out in
                try changed.withUnsafeBytes { try cipher.open($0, nonce: 9, associated: [1], into: out) }
            }
        }
        #expect(out == [UInt8](repeating: 0, count: 40))
        #expect(try cipher.opened(sealed, 9, [1]) == plain, "a refusal leaves the cipher usable")
    }
}

extension AESGCM {
    fileprivate func sealed(_ plain: [UInt8], _ nonce: UInt64, _ associated: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: plain.count + Self.tagByteCount)
        out.withUnsafeMutableBytes { out in
            plain.withUnsafeBytes { seal($0, nonce: nonce, associated: associated, into: out) }
        }
        return out
    }

    fileprivate func opened(_ sealed: [UInt8], _ nonce: UInt64, _ associated: [UInt8]) throws -> [UInt8] {
        var out = [UInt8](repeating: 0, count: max(0, sealed.count - Self.tagByteCount))
        try out.withUnsafeMutableBytes { out in
            try sealed.withUnsafeBytes { try open($0, nonce: nonce, associated: associated, into: out) }
        }
        return out
    }
}
