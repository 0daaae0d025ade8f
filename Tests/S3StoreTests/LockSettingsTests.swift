import Platform
import S3Store
import Testing

/// What a vault's address says of locks, and how stores write times.
struct LockSettingsTests {
    private func lock(_ text: String) throws(Failure) -> ObjectLock? { try ObjectLock(S3Address(text).parameters) }

    @Test func aTermHasAUnit() throws {
        #expect(try lock("s3://abc/d") == nil)
        for (text, seconds) in [("30d", 2_592_000), ("12h", 43_200), ("5m", 300), ("1s", 1)] as [(String, Int64)] {
            #expect(try lock("s3://abc?locked=def&retain=\(text)") == ObjectLock(mode: .governance, term: seconds))
        }
        #expect(try lock("s3://abc?retain=1d&mode=compliance")?.mode == .compliance)
        for text in ["30", "d", "-1d", "0d", "1.5d", "36501d", "99999999999999999999d", "1w", "%E2%91%A0d"] {
            #expect(throws: Failure(.usage, "")) { try lock("s3://abc?locked=def&retain=\(text)") }
        }
        #expect(throws: Failure(.usage, "")) { try lock("s3://abc?locked=def&mode=compliance") }
        #expect(throws: Failure(.usage, "")) { try lock("s3://abc?locked=def&retain=1d&mode=firm") }
    }

    @Test func timesAreReadAsStoresWriteThem() {
        let time = Timestamp(seconds: 1_798_546_955)
        #expect(ObjectLock.text(time) == "2026-12-29T12:22:35Z")
        #expect(ObjectLock.time("2026-12-29T12:22:35Z") == time)
        #expect(ObjectLock.time("2026-12-29T12:22:35.000000000Z") == time)
        #expect(ObjectLock.time("9999-12-31T23:59:59Z") == Timestamp(nanoseconds: .max))
        for text in ["", "Z", "2026-12-29", "2026-12-29T12:22:35", "2026-13-29T12:22:35Z", "2026-12-29T12:22:35+01Z"] {
            #expect(ObjectLock.time(text) == nil, "\(text)")
        }
    }

    @Test func aListingOfVersionsIsHeldToItsForm() throws {
        func page(_ inner: String) throws(Failure) -> VersionsPage {
            try VersionsPage(Array("<ListVersionsResult>\(inner)</ListVersionsResult>".utf8))
        }
        let marker = "<DeleteMarker><Key>a%2Fb</Key><VersionId>2</VersionId></DeleteMarker>"
        let version = "<Version><Key>a%2Fb</Key><VersionId>1</VersionId><Size>7</Size></Version>"
        let found = try page("<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>\(marker)\(version)")
        #expect(found.isTruncated)
        #expect(found.entries.map { String(decoding: $0.key, as: UTF8.self) } == ["a/b", "a/b"])
        #expect(found.entries.map(\.version) == ["2", "1"] && found.entries.map(\.isMarker) == [true, false])
        #expect(found.entries.map(\.length) == [0, 7])
        for wrong in [
            "<Version><Key>a</Key><VersionId>1</VersionId></Version>", "<Version><Key>a</Key><Size>1</Size></Version>",
            "<DeleteMarker><VersionId>1</VersionId></DeleteMarker>",
            "<Version><Key>a</Key><VersionId></VersionId><Size>1</Size></Version>",
        ] { #expect(throws: Failure(.damaged, "")) { try page(wrong) } }
        #expect(throws: Failure(.damaged, "")) { try VersionsPage(Array("<ListBucketResult/>".utf8)) }
    }
}
