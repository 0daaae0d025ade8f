import Foundation
import Platform
import Support
import Testing

/// `check --keyless --limit`, what `check` says is lost, and `repair`.
@Suite struct RepairCommandTests {
    /// A tree of some packs, and a copy of it in a vault of its own.
    private func made() throws -> Toolbox {
        let toolbox = try Toolbox()
        var seed = Seed(12)
        for number in 0..<4 { try toolbox.write(seed.text(400_000), "source/\(number)") }
        try toolbox.repository("init")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let copy = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")])
        #expect(copy.exit == .code(0), "\(copy.errors)")
        return toolbox
    }

    private func longestPack(_ toolbox: Toolbox) throws -> String {
        let packs = try toolbox.objects("packs").sorted {
            try toolbox.bytes(of: "vault/\($0)").count < toolbox.bytes(of: "vault/\($1)").count
        }
        return try #require(packs.last)
    }

    @Test func whatIsDamagedIsRepairedFromTheCopy() throws {
        let toolbox = try made()
        let id = try toolbox.snapshot("desk")
        let pack = try longestPack(toolbox)
        let others = ["sets", "manifests", "envelopes", "log", "slots"].compactMap { toolbox.objects($0).last }
        for object in [pack] + others { try toolbox.damage(object) }
        let record = toolbox.objects("log")[1]
        for object in [others[0], record] { try FileManager.default.removeItem(atPath: toolbox("vault/" + object)) }
        let damaged = ([pack, record] + others).sorted()
        let check = try toolbox.repository("check", ["--read-data", "--also", toolbox("copy")], exits: 6)
        #expect(try check.events("damaged").compactMap { $0["object"] as? String } == damaged)

        let more = ["--from", toolbox("copy")]
        let dry = try toolbox.repository("repair", more + ["--dry-run"])
        #expect(try Set(dry.events("repaired").compactMap { $0["object"] as? String }) == Set(damaged))
        let again = try toolbox.repository("check", ["--read-data", "--also", toolbox("copy")], exits: 6)
        #expect(try again.events("damaged").count == damaged.count)

        let run = try toolbox.repository("repair", more)
        #expect(try Set(run.events("repaired").compactMap { $0["object"] as? String }) == Set(damaged))
        #expect(try run.result["left"] as? Int == 0)
        let length = try toolbox.bytes(of: "vault/" + pack).count
        #expect(try (run.result["bytesFetched"] as? Int).map { $0 < length / 2 } == true)
        #expect(try toolbox.repository("check", ["--read-data"]).result["clean"] as? Bool == true)
        try toolbox.repository("restore", [id, "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        #expect(try toolbox.repository("repair", ["--text"]).output.contains("Nothing is damaged."))
    }

    @Test func whatNoVaultHasStaysNamedAndItsFilesAndBytesAreSaid() throws {
        let toolbox = try made()
        let id = try toolbox.snapshot("desk")
        let pack = try longestPack(toolbox)
        try toolbox.damage(pack)
        let check = try toolbox.repository("check", ["--read-data"], exits: 6)
        let lost = try check.events("lost")
        #expect(lost.allSatisfy { $0["snapshot"] as? String == id && $0["object"] as? String == pack })
        let first = try #require(lost.first { $0["kind"] as? String == "file" })
        let path = try #require(first["path"] as? String)
        let (from, to) = (try #require(first["from"] as? Int), try #require(first["to"] as? Int))
        #expect(path.hasPrefix(toolbox("source") + "/") && from < to && to <= 400_000)
        let text = try toolbox.repository("check", ["--read-data", "--text"], exits: 6)
        #expect(text.output.contains("\(path): bytes \(from)..<\(to)"))
        // A restore gives everything else, and fails on that file.
        try toolbox.repository("restore", [id, "--target", toolbox("target")], exits: 5)

        let run = try toolbox.repository("repair", exits: 5)
        #expect(try run.events("left").map { $0["object"] as? String } == [pack])
        #expect(try run.result["recorded"] as? Int == 1)
        let other = try Toolbox("stranger")
        try other.repository("init")
        try toolbox.repository("repair", ["--from", other("vault")], exits: 3)
        try toolbox.repository("repair", ["--from", toolbox("vault")], exits: 3)
        try toolbox.repository("repair", ["--from", toolbox("nowhere")], exits: 4)
    }

    /// The copy has no block of a pack that was repacked, and every chunk of it.
    @Test func aRepackedPackIsRepairedFromACopyOfWhatItWasMadeOf() throws {
        let toolbox = try Toolbox()
        try toolbox.repository("init")
        var seed = Seed(13)
        for number in 0..<8 { try toolbox.write(seed.bytes(300_000), "source/\(number)") }
        let whole = try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        for number in 2..<8 { try FileManager.default.removeItem(atPath: toolbox("source/\(number)")) }
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        let copy = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("copy")])
        #expect(copy.exit == .code(0), "\(copy.errors)")
        try toolbox.repository("forget", [try #require(try whole.result["id"] as? String)])
        let before = Set(toolbox.objects("packs"))
        try toolbox.repository("collect")
        let packs = toolbox.objects("packs").filter { !before.contains($0) }
        let pack = try #require(packs.first)
        #expect(packs.count == 1)
        let id = try toolbox.snapshot("desk")
        try toolbox.damage(pack)

        let alone = try toolbox.repository("repair", ["--dry-run"], exits: 5)
        #expect(try alone.events("left").map { $0["object"] as? String } == [pack])
        let keyless = try toolbox.run(
            ["repository", "repair", "--vault", toolbox("vault"), "--from", toolbox("copy"), "--dry-run"])
        #expect(keyless.exit == .code(5) && keyless.output.contains("passphrase"))
        let run = try toolbox.repository("repair", ["--from", toolbox("copy")])
        #expect(try run.events("repaired").map { $0["object"] as? String } == [pack])
        #expect(try toolbox.repository("check", ["--read-data"]).result["clean"] as? Bool == true)
        try toolbox.repository("restore", [id, "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])
        #expect(try toolbox.repository("repair", ["--text"]).output.contains("Nothing is damaged."))
    }

    @Test func whatNoSnapshotNeedsIsNoDamageToEither() throws {
        let toolbox = try made()
        let id = try toolbox.snapshot("desk")
        let envelope = try #require(toolbox.objects("envelopes").first)
        try FileManager.default.removeItem(atPath: toolbox("source"))
        try toolbox.write("another", "source/other")
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
        try toolbox.repository("forget", [id])
        try toolbox.damage(envelope)
        let check = try toolbox.repository("check", ["--read-data"])
        #expect(try check.events("notNeeded").map { $0["object"] as? String } == [envelope])
        #expect(try check.result["clean"] as? Bool == true)
        let repair = try toolbox.repository("repair")
        #expect(try repair.events("notNeeded").map { $0["object"] as? String } == [envelope])
        try toolbox.repository("collect")
        #expect(try toolbox.repository("check").events("notNeeded").isEmpty)
    }

    /// Of any kind, also a record: an object that is not there, and a place that can be had.
    @Test func anEmptyDirectoryUnderAnObjectsNameGivesWayAndOneThatHoldsSomethingIsNamed() throws {
        let toolbox = try made()
        let files = FileManager.default
        func makeDirectory(of object: String) throws {
            try? files.removeItem(atPath: toolbox("vault/" + object))
            try toolbox.makeDirectory("vault/" + object)
        }
        let kinds = ["packs", "segments", "sets", "manifests", "envelopes", "slots"].compactMap {
            toolbox.objects($0).first
        }
        let objects = kinds + toolbox.objects("log").dropFirst()
        for object in objects { try makeDirectory(of: object) }
        let from = ["--from", toolbox("copy")]
        let run = try toolbox.repository("repair", from)
        #expect(try run.events("repaired").count == objects.count && run.result["left"] as? Int == 0)
        #expect(try toolbox.repository("check", ["--read-data"]).result["clean"] as? Bool == true)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")])
        #expect(try toolbox.differences("source", "target") == [])

        // What is in one is not thrown away, and everything else is repaired.
        let full = try #require(toolbox.objects("envelopes").first)
        let empty = try #require(toolbox.objects("manifests").first)
        for object in [full, empty] { try makeDirectory(of: object) }
        try toolbox.write("mine", "vault/\(full)/file")
        let second = try toolbox.repository("repair", from, exits: 5)
        #expect(try second.events("repaired").map { $0["object"] as? String } == [empty])
        #expect(try Set(second.events("left").compactMap { $0["object"] as? String }) == [full, full + "/file"])
        #expect(second.output.contains("a directory with something in it"))
        #expect(try toolbox.bytes(of: "vault/\(full)/file") == Array("mine".utf8))
        try files.removeItem(atPath: toolbox("vault/\(full)/file"))
        #expect(try toolbox.repository("repair", from).result["left"] as? Int == 0)
        #expect(try toolbox.repository("check").result["clean"] as? Bool == true)
    }

    /// A vault to take from whose own genesis is lost: read by the mirror where there is one, named and passed by elsewhere.
    @Test func aVaultToTakeFromMayBeDamagedItself() throws {
        let toolbox = try made()
        let files = FileManager.default
        let second = try toolbox.run(["repository", "copy", "--from", toolbox("vault"), "--to", toolbox("second")])
        #expect(second.exit == .code(0), "\(second.errors)")
        let genesis = try #require(toolbox.objects("log").first)
        for vault in ["copy", "vault"] { try files.removeItem(atPath: toolbox("\(vault)/\(genesis)")) }

        // The copy mirrors the vault's log, and its own nobody mirrors.
        let manifest = try #require(toolbox.objects("manifests", vault: "second").first)
        try files.removeItem(atPath: toolbox("second/" + manifest))
        let both = ["--from", toolbox("copy"), "--from", toolbox("vault")]
        let run = try toolbox.repository("repair", both, vault: "second")
        #expect(run.errors.contains("\(toolbox("copy")) is of no help"))
        #expect(!run.errors.contains("\(toolbox("vault")) is"))
        #expect(try run.events("repaired").map { $0["object"] as? String } == [manifest])
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")], vault: "second")
        #expect(try toolbox.differences("source", "target") == [])
        let alone = try toolbox.repository("repair", ["--from", toolbox("copy")], vault: "second")
        #expect(try alone.errors.contains("is of no help") && alone.result["left"] as? Int == 0)
        let check = ["repository", "check", "--keyless", "--vault", toolbox("second"), "--also", toolbox("copy")]
        #expect(try toolbox.run(check).exit == .code(0))
    }

    /// The site key that lies sealed in the vault tells which of the logs that the copy holds is its own.
    @Test func aLogThatIsLostWholeComesFromTheCopy() throws {
        let toolbox = try made()
        let records = toolbox.objects("log")
        let was = try records.map { try toolbox.bytes(of: "vault/" + $0) }
        for record in records { try FileManager.default.removeItem(atPath: toolbox("vault/" + record)) }
        #expect(try toolbox.repository("snapshots", exits: 6).errors.contains("with the passphrase"))
        let also = ["--also", toolbox("copy")]
        #expect(try toolbox.repository("snapshots", also).objects.count == 1)
        try toolbox.repository("restore", ["latest:desk", "--target", toolbox("target")] + also)
        #expect(try toolbox.differences("source", "target") == [])
        let run = try toolbox.repository("repair", ["--from", toolbox("copy")])
        #expect(try Set(run.events("repaired").compactMap { $0["object"] as? String }) == Set(records))
        #expect(try records.map { try toolbox.bytes(of: "vault/" + $0) } == was)
        #expect(try toolbox.repository("check", ["--read-data"]).result["clean"] as? Bool == true)
        try toolbox.repository("backup", ["--name", "desk", toolbox("source")])
    }

    @Test func aVaultToTakeFromThatIsNamedWronglyKeepsTheOthersFromNothing() throws {
        let toolbox = try made()
        let manifest = try #require(toolbox.objects("manifests").first)
        let wrong = try ["nowhere", "source", "other"].map { name in
            if name == "other" { try toolbox.repository("init", vault: name) }
            return toolbox(name)
        }
        try FileManager.default.removeItem(atPath: toolbox("vault/" + manifest))
        for (path, code) in zip(wrong, [4, 4, 3] as [Int32]) {
            try toolbox.repository("repair", ["--from", path], exits: code)
        }
        let all = (wrong + [toolbox("copy")]).flatMap { ["--from", $0] }
        let run = try toolbox.repository("repair", all)
        for path in wrong { #expect(run.errors.contains("\(path) is of no help")) }
        #expect(try run.events("repaired").map { $0["object"] as? String } == [manifest])
    }

    @Test func aKeylessCheckGoesOnWhereItStopped() throws {
        let toolbox = try made()
        func run(_ more: [String], exits code: Int32 = 0) throws -> Toolbox.Run {
            let run = try toolbox.run(["repository", "check", "--vault", toolbox("vault"), "--keyless"] + more)
            #expect(run.exit == .code(code), "\(run.errors)")
            return run
        }
        let whole = try run([]).result
        var objects = 0
        var runs = 0
        var isComplete = false
        while !isComplete, runs < 100 {
            let result = try run(["--limit", "20KiB"]).result
            objects += try #require(result["objects"] as? Int)
            isComplete = result["roundComplete"] as? Bool == true
            runs += 1
        }
        #expect(runs > 2 && objects == whole["objects"] as? Int)
        try toolbox.damage(try longestPack(toolbox))
        var exits: [Int32] = []
        var recalled: Int?
        repeat {
            let run = try toolbox.run(
                ["repository", "check", "--vault", toolbox("vault"), "--keyless", "--limit", "20KiB"])
            exits.append(run.exit == .code(0) ? 0 : run.exit == .code(6) ? 6 : -1)
            isComplete = try run.result["roundComplete"] as? Bool == true
            recalled = try run.result["roundDamagedRuns"] as? Int
        } while !isComplete && exits.count < 100
        #expect(exits.filter { $0 == 6 }.count == 1 && exits.filter { $0 == 0 }.count == exits.count - 1)
        #expect(recalled == 1)
        _ = try run(["--limit", "many"], exits: 2)
        #expect(
            try toolbox.run(["repository", "check", "--vault", toolbox("vault"), "--limit", "1GiB"]).exit == .code(2))
    }
}
