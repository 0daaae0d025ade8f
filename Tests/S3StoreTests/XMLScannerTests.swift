import Platform
import S3Store
import Support
import Testing

/// The scanner reads what S3 writes and refuses what only an attacker would.
@Suite struct XMLScannerTests {
    private func scan(_ text: String) throws(Failure) -> [String: String] {
        var found: [String: String] = [:]
        try XMLScanner.scan(Array(text.utf8)) { path, text in found[path.joined(separator: "/")] = text }
        return found
    }

    @Test func elementsAttributesAndEntitiesAreRead() throws {
        let found = try scan(
            """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a='b>c'><Code>No&amp;&lt;&#x6e;&#111;&gt;</Code>
            <Empty/><Message>港口 &quot;x&apos;</Message ></Error>

            """)
        #expect(found["Error/Code"] == "No&<no>")
        #expect(found["Error/Message"] == "港口 \"x'")
        #expect(found["Error/Empty"] == "")
    }

    @Test(arguments: [
        "", "text", "<a>", "<a></b>", "<a/><b/>", "<a/>more", "</a>", "<a><b></a></b>", "<a", "<a b>", "<a b=c/>",
        "<a b='c/>", "<a b='<'/>", "<>x</>", "<a>&unknown;</a>", "<a>&#0;</a>", "<a>&#xd800;</a>", "<a>&#x110000;</a>",
        "<a>&lt</a>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<!DOCTYPE a SYSTEM \"http://x/y\"><a/>",
        "<a><![CDATA[x]]></a>", "<a><!-- x --></a>", "<a><?php x ?></a>", "<?xml version='1.0'?><?xml?><a/>",
        "<?xml \(String(repeating: " ", count: 300))?><a/>",
    ])
    func whatIsNoAnswerIsRefused(text: String) {
        #expect(throws: Failure(.damaged, "")) { try scan(text) }
    }

    @Test func depthAndLengthsAreBounded() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        }
        _ = try scan(nested(XMLScanner.deepest))
        #expect(throws: Failure(.damaged, "")) { try scan(nested(XMLScanner.deepest + 1)) }
        #expect(throws: Failure(.damaged, "")) { try scan(nested(100_000)) }
        let long = String(repeating: "x", count: XMLScanner.longestText + 1)
        #expect(throws: Failure(.damaged, "")) { try scan("<a>\(long)</a>") }
        #expect(throws: Failure(.damaged, "")) { try scan("<a b='\(long)'/>") }
        #expect(throws: Failure(.damaged, "")) { try scan("<\(String(repeating: "n", count: 129))/>") }
    }

    @Test func mutatedAnswersNeverTrap() {
        let answer = Array(
            ("<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                + "<Contents><Key>a%2Fb</Key><Size>12</Size></Contents><Contents><Key>&#x61;</Key><Size>3</Size>"
                + "</Contents></ListBucketResult>").utf8)
        var seed = Seed(4)
        var whole = 0
        for _ in 0..<20_000 {
            var bytes = answer
            for _ in 0...seed.below(3) where bytes.count > 1 {
                switch seed.below(4) {
                case 0: bytes[seed.below(bytes.count)] = UInt8(truncatingIfNeeded: seed.next())
                case 1: bytes.remove(at: seed.below(bytes.count))
                case 2: bytes.insert(Array("<>&;/?!'\"=%".utf8)[seed.below(11)], at: seed.below(bytes.count))
                default: bytes = Array(bytes.prefix(1 + seed.below(bytes.count)))
                }
            }
            if (try? ListingPage(bytes)) != nil { whole += 1 }
            _ = ErrorAnswer(bytes)
        }
        #expect(whole > 100)
    }

    @Test func aListingSaysWhatIsThere() throws {
        let page = try ListingPage(
            Array(
                ("<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a%2Fb+c%FF</Key><Size>12</Size>"
                    + "</Contents><EncodingType>url</EncodingType></ListBucketResult>").utf8))
        #expect(page.isTruncated)
        #expect(page.objects.map(\.key) == [Array("a/b+c".utf8) + [0xff]])
        #expect(page.objects.map(\.length) == [12])
        for text in [
            "<Error/>", "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
            "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%4</Key><Size>1</Size></Contents></ListBucketResult>",
        ] {
            #expect(throws: Failure(.damaged, "")) { try ListingPage(Array(text.utf8)) }
        }
    }

    @Test func aRefusalIsCutAndCleaned() {
        let said = ErrorAnswer(
            Array(
                "<Error><Code>Slow\u{1b}[31m</Code><Message>\(String(repeating: "m", count: 999))</Message></Error>"
                    .utf8))
        #expect(said.code == "Slow?[31m")
        #expect(said.message.count == 240)
        #expect(ErrorAnswer(Array("<html>".utf8)).code == "")
    }
}
