import Platform
import S3Store
import Testing

/// The worked examples of "Signature Calculations for the Authorization Header", Amazon S3 API reference.
@Suite struct SignatureTests {
    private func signature(
        _ method: String, _ path: String, _ query: String = "", _ headers: [(name: String, value: String)] = [],
        payload: String = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    ) throws -> String {
        let credentials = try #require(
            Credentials(accessKey: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
        let signer = RequestSigner(credentials: credentials, region: "us-east-1")
        let signed = signer.headers(
            of: .init(
                method: method, host: "examplebucket.s3.amazonaws.com", path: path, query: query, headers: headers,
                payload: payload), at: Timestamp(seconds: 1_369_353_600))
        let value = try #require(signed.first { $0.name == "authorization" }?.value)
        return String(value.suffix(64))
    }

    @Test func theDocumentedExamplesComeOut() throws {
        #expect(
            try signature("GET", "/test.txt", "", [("range", "bytes=0-9")])
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            try signature(
                "PUT", "/test%24file.text", "",
                [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        #expect(
            try signature("GET", "/", "lifecycle=")
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        #expect(
            try signature("GET", "/", "max-keys=2&prefix=J")
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func secretsAreNeitherPrintedNorReflected() throws {
        let credentials = try #require(Credentials(accessKey: "AKID", secret: "s3cr3t-key", sessionToken: "t0k3n-text"))
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped] {
            #expect(text.contains("AKID") && !text.contains("s3cr3t") && !text.contains("t0k3n"))
        }
        #expect(Credentials(accessKey: "AKID", secret: "two\r\nlines") == nil)
        #expect(Credentials(accessKey: "AKID", secret: "s", sessionToken: "a b") == nil)
    }

    @Test func base64EndsAsItShould() {
        #expect(Base64.encode(Array("foobar".utf8)) == "Zm9vYmFy")
        #expect(Base64.encode(Array("fooba".utf8)) == "Zm9vYmE=")
        #expect(Base64.encode(Array("foob".utf8)) == "Zm9vYg==")
        #expect(Base64.encode([]) == "")
    }
}
