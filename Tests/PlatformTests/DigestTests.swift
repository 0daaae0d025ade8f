import Platform
import Testing

/// Known answers of the standards, and the same answers however the bytes come.
@Suite struct DigestTests {
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
        ),
    ])
    func sha256GivesTheAnswersOfFIPS180(message: String, digest: String) {
        #expect(SHA256.hash(Array(message.utf8)).hex == digest)
    }

    @Test func sha256OfAMillionLettersInUnevenPieces() {
        let letters = [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000)
        let digest = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        #expect(SHA256.hash(letters).hex == digest)
        var stream = SHA256Stream()
        var at = 0
        var step = 0
        while at < letters.count {
            let end = min(letters.count, at + step)
            stream.update(Array(letters[at..<end]))
            at = end
            step = (step * 3 + 1) % 4099
        }
        #expect(stream.finish().hex == digest)
    }

    /// Every length around the edges of blocks and of padding, alone, beside shorter and longer ones, and none at all.
    @Test(arguments: [nil, 0, 255] as [UInt8?]) func manyAtOnceGiveTheAnswersOfEachAlone(prefix: UInt8?) {
        let bytes = (0..<70_000).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 8) }
        let lengths = Array(0...200) + [65_536, 3, 65_535, 65_537, 0, 4096, 4095, 66_000]
        for start in [0, 1, 17, lengths.count - 1, lengths.count] {
            let parts = lengths[start...].map { $0 % 7..<$0 % 7 + $0 }
            let expected = parts.map { SHA256.hash((prefix.map { [$0] } ?? []) + bytes[$0]) }
            bytes.withUnsafeBytes { whole in
                let pieces = parts.map { UnsafeRawBufferPointer(rebasing: whole[$0]) }
                #expect(SHA256.hashes(of: pieces, after: prefix) == expected)
            }
            if prefix == nil { #expect(SHA256.hashes(of: parts, in: bytes) == expected) }
        }
    }

    @Test func aStreamBeginsAnewAfterItsEndAndACopyGoesItsOwnWay() {
        var stream = SHA256Stream()
        stream.update(Array("ab".utf8))
        var copy = stream
        stream.update(Array("c".utf8))
        copy.update(Array("d".utf8))
        #expect(stream.finish() == SHA256.hash(Array("abc".utf8)))
        #expect(copy.finish() == SHA256.hash(Array("abd".utf8)))
        #expect(stream.finish() == SHA256.hash([]))
    }

    /// RFC 4231, test cases 1, 2, 3, 4, 6, 7.
    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 20), [UInt8](repeating: 0xdd, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            [UInt8](1...25), [UInt8](repeating: 0xcd, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131),
            Array(
                ("This is a test using a larger than block-size key and a larger than block-size data. "
                    + "The key needs to be hashed before being used by the HMAC algorithm.").utf8),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        ),
    ])
    func hmacGivesTheAnswersOfRFC4231(key: [UInt8], message: [UInt8], code: String) {
        #expect(HMACKey(key).authenticate(message).hex == code)
    }

    @Test func aDigestIsAuthenticatedAsItsThirtyTwoBytes() {
        let key = HMACKey(Array("key".utf8))
        let digest = SHA256.hash(Array("content".utf8))
        #expect(key.authenticate(digest) == key.authenticate(digest.bytes))
    }

    /// RFC 5869, test cases 1, 2, 3.
    @Test func hkdfGivesTheAnswersOfRFC5869() {
        #expect(
            Hex.encode(
                HKDF.derive(
                    key: [UInt8](repeating: 0x0b, count: 22), salt: [UInt8](0...12), info: [UInt8](0xf0...0xf9),
                    count: 42))
                == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
        #expect(
            Hex.encode(
                HKDF.derive(key: [UInt8](0...0x4f), salt: [UInt8](0x60...0xaf), info: [UInt8](0xb0...0xff), count: 82))
                == "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")
        #expect(
            Hex.encode(HKDF.derive(key: [UInt8](repeating: 0x0b, count: 22), salt: [], info: [], count: 42))
                == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
        #expect(HKDF.derive(key: [1], salt: [], info: [], count: 0).isEmpty)
    }

    @Test func aDigestIsThirtyTwoBytesInOrder() throws {
        let bytes = [UInt8](100..<132)
        let digest = try #require(Digest(bytes))
        #expect(digest.bytes == bytes)
        #expect(Digest(bytes.lazy.map { $0 }) == digest)
        #expect(Digest(([0] + bytes)[1...]) == digest)
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(bytes.dropLast()) == nil && Digest(bytes + [0]) == nil)
        #expect(Digest(hex: String(digest.hex.dropLast())) == nil && Digest(hex: digest.hex.uppercased()) == nil)
        var later = bytes
        later[31] += 1
        #expect(try digest < #require(Digest(later)))
        later[0] -= 1
        #expect(try digest > #require(Digest(later)))
    }
}
