import Platform
import S3Store
import Testing

/// Where a vault lies and with what it is opened: the address first, then the environment, then the AWS files.
@Suite struct SettingsTests {
    private static let keys = ["AWS_ACCESS_KEY_ID": "AKIDENV", "AWS_SECRET_ACCESS_KEY": "envsecret"]

    private func settings(
        _ address: String, _ variables: [String: String] = keys, files: [String: String] = [:]
    ) throws(Failure) -> S3Settings {
        try S3Settings(
            S3Address(address), variable: { variables[$0] }, read: { path, _ in files[path].map { Array($0.utf8) } })
    }

    @Test func amazonIsWhatNothingElseSays() throws {
        let plain = try settings("s3://harbour-vault/hk/alc")
        #expect(plain.location == "s3://harbour-vault/hk/alc")
        #expect(plain.place(of: "hk/alc/log/0") == ("harbour-vault.s3.us-east-1.amazonaws.com", "/hk/alc/log/0"))
        let china = try settings("s3://harbour-vault?region=cn-north-1")
        #expect(china.endpoint.host == "s3.cn-north-1.amazonaws.com.cn")
        #expect(china.location == "s3://harbour-vault")
        // A name with a dot does not fit the certificate.
        #expect(try settings("s3://a.b.c").place(of: "k").path == "/a.b.c/k")
    }

    @Test func aServerOfOnesOwnIsPartOfTheLocation() throws {
        let own = try settings("s3://vault/a?endpoint=https%3A%2F%2FStore.example%3A8443&style=path")
        #expect(own.location == "s3://vault/a?endpoint=https://store.example:8443")
        #expect(own.place(of: "a/x") == ("store.example:8443", "/vault/a/x"))
        #expect(try settings("s3://vault?endpoint=https://h:443").endpoint.host == "h")
        #expect(try settings("s3://vault?endpoint=https://h/&style=virtual").place(of: "").host == "vault.h")
    }

    @Test func theAddressGoesBeforeTheEnvironmentAndThatBeforeTheFiles() throws {
        let files = [
            "/home/wei/.aws/config": """
            [default]
            region = eu-west-1
            endpoint_url = https://file.example
            s3 =
              addressing_style = virtual
            [profile hk]
            region = ap-east-1
            ca_bundle = /etc/own.pem
            """,
            "/home/wei/.aws/credentials": """
            # kept by hand
            [default]
            aws_access_key_id = AKIDFILE
            aws_secret_access_key = filesecret
            [hk]
            aws_access_key_id=AKIDHK
            aws_secret_access_key=hksecret
            aws_session_token=hktoken
            """,
        ]
        let home = ["HOME": "/home/wei"]
        let fromFiles = try settings("s3://vault", home, files: files)
        #expect(fromFiles.region == "eu-west-1" && fromFiles.credentials.accessKey == "AKIDFILE")
        #expect(fromFiles.place(of: "").host == "vault.file.example")
        let other = home.merging(Self.keys) { $1 }.merging(
            ["AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL": "https://env.example", "AWS_PROFILE": "hk"]
        ) { $1 }
        let fromEnvironment = try settings("s3://vault", other, files: files)
        #expect(fromEnvironment.region == "us-west-2" && fromEnvironment.endpoint.host == "env.example")
        #expect(fromEnvironment.credentials.accessKey == "AKIDENV" && fromEnvironment.authority == "/etc/own.pem")
        let fromAddress = try settings(
            "s3://vault?profile=hk&region=eu-north-1&endpoint=https://own.example&ca=/other.pem", other, files: files)
        #expect(fromAddress.region == "eu-north-1" && fromAddress.endpoint.host == "own.example")
        #expect(fromAddress.credentials.accessKey == "AKIDHK" && fromAddress.authority == "/other.pem")
        let named = other.merging(["AWS_ENDPOINT_URL_S3": "https://s3.example"]) { $1 }
        #expect(try settings("s3://vault", named, files: files).endpoint.host == "s3.example")
    }

    @Test func nothingSecretIsEverInALocation() throws {
        let opened = try settings("s3://vault/a?endpoint=https://h.example&ca=/x.pem")
        #expect(!opened.location.contains("AKIDENV") && !opened.location.contains("secret"))
        #expect(throws: Failure(.usage, "")) { try settings("s3://key:secret@vault/a") }
        do {
            _ = try settings("s3://key:hushhush@vault/a")
        } catch { #expect(!"\(error)".contains("hushhush")) }
    }

    @Test func withoutCredentialsItSaysHowToGiveThem() throws {
        #expect(throws: Failure(.refused, "")) { try settings("s3://vault", [:]) }
        do {
            _ = try settings(
                "s3://vault", ["HOME": "/h"], files: ["/h/.aws/config": "[default]\nrole_arn = arn:aws:iam::1:role/x"])
            Issue.record("there are no credentials")
        } catch {
            #expect("\(error)".contains("role_arn") && "\(error)".contains("AWS_ACCESS_KEY_ID"))
        }
        #expect(throws: Failure(.usage, "")) { try settings("s3://vault?profile=nobody") }
    }

    @Test(arguments: [
        "", "s3:/x", "s3://", "s3://ab", "s3://Vault", "s3://va_lt", "s3://-vault", "s3://va..lt", "s3://vault//a",
        "s3://vault/.hidden", "s3://vault/a/../b", "s3://vault/a b", "s3://vault/ü", "s3://vault?key=x",
        "s3://vault?region=a&region=b", "s3://vault?endpoint=h", "s3://vault?endpoint=ftp://h", "s3://vault?style=odd",
        "s3://vault?endpoint=https://h/path", "s3://vault?endpoint=https://u:p@h", "s3://vault?endpoint=https://h:0",
        "s3://vault?endpoint=https://127.0.0.1&style=virtual", "s3://vault?region=a%0Ab", "s3://vault?region=%4",
    ])
    func whatMakesNoSenseIsRefused(address: String) {
        #expect(throws: Failure(.usage, "")) { try settings(address) }
    }

    @Test func plainHTTPStaysOnThisMachine() throws {
        #expect(throws: Failure(.refused, "")) { try settings("s3://vault?endpoint=http://store.example") }
        #expect(throws: Failure(.refused, "")) { try settings("s3://vault?endpoint=http://127.0.0.1.example") }
        for host in ["localhost:1", "127.0.0.1:9000", "[::1]:9000", "a.localhost"] {
            _ = try settings("s3://vault?endpoint=http://\(host)")
        }
    }
}
