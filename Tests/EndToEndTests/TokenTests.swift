import Foundation
import Platform
import Support
import Testing

/// A repository under a key that its owner can withdraw: a real token, by PKCS #11.
@Suite struct TokenTests {
    private static let module = "/usr/lib/softhsm/libsofthsm2.so"

    /// A token of SoftHSM in the test's own directory, with an AES key in it.
    private struct Token {
        let toolbox: Toolbox
        var environment: [String: String] { ["SOFTHSM2_CONF": toolbox("softhsm.conf")] }

        init(_ toolbox: Toolbox) throws {
            self.toolbox = toolbox
            try toolbox.makeDirectory("tokens")
            try toolbox.write(
                "directories.tokendir = \(toolbox("tokens"))\nobjectstore.backend = file\nlog.level = ERROR\n",
                "softhsm.conf")
            try toolbox.write("4711\n", "pin")
            try call(
                "/usr/bin/softhsm2-util",
                ["--init-token", "--free", "--label", "harbour", "--so-pin", "0815", "--pin", "4711"])
            // A key of 32 bytes, imported: the tool that makes one inside is another package's. This one reads the file as
            // text, and cuts off at zeros and ends of lines.
            let key = Surroundings.system.random(32).map { [0, 10, 13].contains($0) ? 1 : $0 }
            try toolbox.write(key, "key.bin")
            try call(
                "/usr/bin/softhsm2-util",
                [
                    "--import", toolbox("key.bin"), "--aes", "--token", "harbour", "--label", "tenant key", "--id",
                    "01",
                    "--pin", "4711",
                ])
        }

        private func call(_ program: String, _ arguments: [String]) throws {
            let name = "token-" + Hex.encode(Surroundings.system.random(4))
            let mark = toolbox(name)
            let child = try ChildProcess.start(
                ProcessLaunch(
                    program, arguments, environment: environment, directory: toolbox.directory.path,
                    output: .file(mark), errors: .file(mark + ".err")))
            let exit = try #require(try child.wait(until: .after(.seconds(60))))
            #expect(
                exit == .code(0), "\(String(decoding: (try? toolbox.bytes(of: name + ".err")) ?? [], as: UTF8.self))")
        }

        func uri(object: String = "tenant%20key") -> String {
            "pkcs11:token=harbour;object=\(object)?module-path=\(TokenTests.module)&pin-source=file:\(toolbox("pin"))"
        }

        @discardableResult
        func repository(
            _ arguments: [String], exits code: Int32 = 0, at location: SourceLocation = #_sourceLocation
        ) throws -> Toolbox.Run {
            let run = try toolbox.run(["repository"] + arguments, environment: environment)
            #expect(run.exit == .code(code), "\(arguments): \(run.errors)", sourceLocation: location)
            return run
        }
    }

    @Test func aRepositoryUnderAKeyOpensWhileTheKeyIsThere() throws {
        let toolbox = try Toolbox()
        let token = try Token(toolbox)
        try toolbox.write("another\n", "other")
        try toolbox.write("content", "source/one")
        let vault = ["--vault", toolbox("vault"), "--cmk", token.uri()]
        try token.repository(["init"] + vault)
        try token.repository(["backup"] + vault + ["--name", "desk", toolbox("source")])
        #expect(
            try token.repository(["keys", "list"] + vault).events("slot").map { $0["kind"] as? String } == ["cmk"])
        // No passphrase comes beside it; new reader keys come under it.
        try token.repository(
            ["keys", "add-passphrase"] + vault + ["--new-passphrase-file", toolbox("other")], exits: 3)
        try token.repository(["keys", "rotate"] + vault)
        // A key that is not the one, a PIN that is wrong: refused, with the reason.
        let wrong = ["--vault", toolbox("vault"), "--cmk", token.uri(object: "nobody")]
        #expect(try token.repository(["snapshots"] + wrong, exits: 3).errors.contains("no key nobody"))
        try toolbox.write("0000\n", "pin")
        #expect(try token.repository(["snapshots"] + vault, exits: 3).errors.contains("PIN"))
        try toolbox.write("4711\n", "pin")
        try token.repository(["restore"] + vault + ["latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        // Withdrawn.
        try FileManager.default.moveItem(atPath: toolbox("tokens"), toPath: toolbox("taken"))
        try toolbox.makeDirectory("tokens")
        let withdrawn = try token.repository(
            ["restore"] + vault + ["latest:desk", "--target", toolbox("none")], exits: 3)
        #expect(withdrawn.errors.contains("no token harbour"))
        #expect(!withdrawn.errors.contains("4711"))
        try token.repository(
            ["snapshots", "--vault", toolbox("vault"), "--passphrase-file", toolbox("passphrase")], exits: 3)
        // Granted again, and put back under a passphrase.
        try FileManager.default.removeItem(atPath: toolbox("tokens"))
        try FileManager.default.moveItem(atPath: toolbox("taken"), toPath: toolbox("tokens"))
        try token.repository(["keys", "re-wrap"] + vault + ["--new-passphrase-file", toolbox("passphrase")])
        try toolbox.repository("snapshots")
        try token.repository(["snapshots"] + vault, exits: 3)
        try token.repository(
            [
                "keys", "re-wrap", "--vault", toolbox("vault"), "--passphrase-file", toolbox("passphrase"), "--new-cmk",
                token.uri(),
            ])
        try toolbox.repository("snapshots", exits: 3)
        try token.repository(["snapshots"] + vault)
    }

    @Test func aPINInAnArgumentIsRefused() throws {
        let toolbox = try Toolbox()
        for uri in [
            "pkcs11:token=a;object=b?module-path=c&pin-value=4711", "token=a", "pkcs11:token=a",
            "pkcs11:token=%zz;object=b",
        ] {
            let run = try toolbox.run(["repository", "snapshots", "--vault", toolbox("v"), "--cmk", uri])
            #expect(run.exit == .code(2))
            #expect(!run.errors.contains("4711"))
        }
    }
}
