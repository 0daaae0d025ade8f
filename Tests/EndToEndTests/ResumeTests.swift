import Foundation
import Glibc
import Platform
import Support
import Testing

/// A backup that was cut off is gone on with by the next one of its name.
@Suite(.serialized) struct ResumeTests {
    private static let total = 160 << 20

    /// A vault with an empty repository, and a source that does not compress.
    private func made(_ label: String) throws -> Toolbox {
        let toolbox = try Toolbox(label)
        var seed = Seed(41)
        for number in 0..<5 { try toolbox.write(seed.bytes(Self.total / 5), "large/\(number)") }
        try toolbox.repository("init")
        return toolbox
    }

    /// Starts a backup and waits for the vault to come to a point.
    private func start(_ toolbox: Toolbox, until reached: () -> Bool) throws -> Toolbox.Started {
        let started = try toolbox.start(toolbox.arguments("backup", ["--name", "large", toolbox("large")]))
        let deadline = Deadline.after(.seconds(120))
        while !reached(), try started.child.wait(until: .after(.milliseconds(1))) == nil {
            try #require(!deadline.hasPassed, "the backup came to nothing")
        }
        return started
    }

    /// Backs up once more, and holds the vault to what was there.
    private func goOn(_ toolbox: Toolbox, storingAtMost bytes: Int) throws {
        #expect(try toolbox.repository("snapshots").objects.isEmpty)
        let result = try toolbox.repository("backup", ["--name", "large", toolbox("large")]).result
        let new = try #require(result["newBytes"] as? Int)
        #expect(new <= bytes, "\(new) bytes were stored again")
        #expect(try toolbox.repository("snapshots").objects.count == 1)
        try toolbox.repository("check", ["--read-data"])
        try toolbox.repository("restore", ["latest:large", "--target", toolbox("target")])
        #expect(try toolbox.differences("large", "target") == [])
    }

    @Test func aKilledBackupIsGoneOnWith() throws {
        let toolbox = try made("resumed")
        let before = toolbox.objects("log").count
        // The claim, and then a stage.
        let started = try start(toolbox) { toolbox.objects("log").count > before + 1 }
        started.child.kill()
        #expect(try toolbox.finish(started).exit == .signal(SIGKILL))
        try goOn(toolbox, storingAtMost: Self.total - (60 << 20))
    }

    @Test func aBackupThatIsToldToStopKeepsWhatItStored() throws {
        let toolbox = try made("stopped")
        let before = toolbox.objects("packs").count
        let started = try start(toolbox) { toolbox.objects("packs").count > before }
        #expect(kill(started.child.identifier, SIGINT) == 0)
        let run = try toolbox.finish(started)
        #expect(run.exit == .code(6))
        #expect(run.errors.contains("are stored"), "\(run.errors)")
        try goOn(toolbox, storingAtMost: Self.total - (15 << 20))
    }
}
