import Coordinator
import Model
import ObjectStore
import Platform
import Repository
import SiteAgent
import Support
import Testing
import Wire

/// The site's work with the real engine, orders and grants as the coordinator makes them.
@Suite struct SiteWorkerTests {
    private func site(_ name: String = "hk-alc", _ estate: TestEstate? = nil, _ keys: RepositoryKeys? = nil) throws
        -> TestSite
    {
        try TestSite(name, try estate ?? TestEstate(), try keys ?? RepositoryKeys.make(.system))
    }

    @Test func aRepositoryIsMadeOnceHoweverOftenItIsOrdered() throws {
        let site = try site()
        let order = Work.initialiseRepository(try site.order())
        let first = try site.carryOut(try site.assignment(order))
        #expect(try site.carryOut(try site.assignment(order)) == first)
        #expect(first.head?.number == 0)
    }

    @Test func aRepositoryIsNotMadeForAnotherAgentsKey() throws {
        let (site, other) = (try site(), try site("cn-shbao"))
        let order = Work.initialiseRepository(try site.order(certified: other.secrets))
        #expect(throws: Failure(.refused, "")) { try site.carryOut(try site.assignment(order)) }
    }

    @Test func whatIsBackedUpIsRestored() throws {
        let site = try site()
        try site.initialise()
        let (folder, disk) = (try site.folder(), try site.disk())
        let backup = try #require(try site.backUp([folder], disk: disk))
        #expect(backup.hasDisk && backup.hasFiles && backup.files == 2)
        let target = site.directory("restored")
        let restored = try #require(try site.restore(backup.snapshot, to: target))
        #expect(restored.files == 2 && restored.warnings == [])
        for name in ["合同.txt", "ledger.bin"] {
            #expect(try PrivateFile.read("\(target)\(folder)/\(name)") == PrivateFile.read("\(folder)/\(name)"))
        }
        _ = try site.restore(backup.snapshot, .disk, to: site.directory("out.raw"), job: "job-d")
        #expect(try PrivateFile.read(site.directory("out.raw")) == PrivateFile.read(disk))
    }

    @Test func aBackupDeliveredAgainAfterItsCommitIsNotMadeTwice() throws {
        let site = try site()
        try site.initialise()
        let folder = try site.folder()
        let first = try #require(try site.backUp([folder]))
        // The agent died before its result was kept: only what it wrote down before the commit is there.
        let again = try #require(try site.backUp([folder]))
        #expect(again.snapshot == first.snapshot)
        let later = try #require(try site.backUp([folder], job: "job-2"))
        #expect(later.snapshot != first.snapshot)
        #expect(later.head.number > first.head.number)
    }

    @Test func aBackupThatIsToldToStopCommitsNothing() throws {
        let site = try site()
        try site.initialise()
        let work = BackupWork(
            repository: site.place(), desktop: try Desktop.ID("desk"), diskImage: nil, folders: [try site.folder()])
        let assignment = try site.assignment(.backup(work))
        let context = WorkContext(assignment)
        context.askToStop(.lost)
        #expect(throws: Failure(.cancelled, "")) { try site.worker.carryOut(assignment, context) }
        let store = try site.vault.forReading(site.tenant)
        let repository = try Repository.open(store, .keyless, heads: NoHeadMemory(), surroundings: .system)
        #expect(repository.log.state.recoveryPoints.isEmpty)
    }

    @Test func aGrantForAnotherJobOrOutOfTimeOpensNothing() throws {
        let site = try site()
        try site.initialise()
        let work = Work.backup(
            BackupWork(
                repository: site.place(), desktop: try Desktop.ID("desk"), diskImage: nil, folders: [try site.folder()])
        )
        #expect(throws: Failure(.refused, "")) { try site.carryOut(try site.assignment(work, granted: "job-9")) }
        #expect(throws: Failure(.refused, "")) { try site.carryOut(try site.assignment(work, lasting: -1)) }
        var without = try site.assignment(work)
        without.grant = nil
        #expect(throws: Failure(.refused, "")) { try site.carryOut(without) }
    }

    @Test func aVaultThatWasRolledBackIsRefused() throws {
        let site = try site()
        try site.initialise()
        let place = site.place(LogHead(number: 99, hash: String(repeating: "ab", count: 32)))
        let work = BackupWork(
            repository: place, desktop: try Desktop.ID("desk"), diskImage: nil, folders: [try site.folder()])
        #expect(throws: Failure(.refused, "")) { try site.carryOut(try site.assignment(.backup(work))) }
    }

    @Test func aRestoreDoesNotTouchWhatStandsAtItsTarget() throws {
        let site = try site()
        try site.initialise()
        let folder = try site.folder()
        let backup = try #require(try site.backUp([folder], disk: try site.disk()))
        let target = site.directory("taken")
        try PrivateFile.makeDirectory("\(target)\(folder)")
        try PrivateFile.write(Array("mine".utf8), to: "\(target)\(folder)/合同.txt")
        #expect(throws: Failure(.refused, "")) { try site.restore(backup.snapshot, to: target) }
        try PrivateFile.write(Array("mine".utf8), to: site.directory("taken.raw"))
        #expect(throws: Failure(.refused, "")) {
            try site.restore(backup.snapshot, .disk, to: site.directory("taken.raw"), job: "job-d")
        }
        #expect(try PrivateFile.read("\(target)\(folder)/合同.txt") == Array("mine".utf8))
        #expect(try PrivateFile.read(site.directory("taken.raw")) == Array("mine".utf8))
    }

    @Test func aRestoreThatWasCutOffIsFinished() throws {
        let site = try site()
        try site.initialise()
        let folder = try site.folder()
        let backup = try #require(try site.backUp([folder], disk: try site.disk()))
        let target = site.directory("restored")
        _ = try site.restore(backup.snapshot, to: target)
        // As a crash would have left it: one file is missing, and the job was not reported.
        try PrivateFile.remove("\(target)\(folder)/合同.txt")
        let again = try #require(try site.restore(backup.snapshot, to: target))
        #expect(again.warnings == [])
        #expect(try PrivateFile.read("\(target)\(folder)/合同.txt") == Array("contract".utf8))
        _ = try site.restore(backup.snapshot, .disk, to: site.directory("out.raw"), job: "job-d")
        let disk = try #require(try site.restore(backup.snapshot, .disk, to: site.directory("out.raw"), job: "job-d"))
        #expect(disk.warnings.count == 1)
    }

    @Test func theOffsiteCopyIsPulledOverTheWireWithoutAKey() async throws {
        let estate = try TestEstate()
        let keys = try RepositoryKeys.make(.system)
        let (here, there) = (try site("hk-alc", estate, keys), try site("cn-shbao", estate, keys))
        try here.initialise()
        try there.initialise()
        let folder = try here.folder()
        let backup = try #require(try here.backUp([folder]))
        let (vault, hereID) = (here.vault, here.vaultID)
        let copies = try await servingVault(estate, { try vault.forReading($0) }) { location in
            try await onThread {
                try (0..<2).map { _ -> ReplicateResult? in
                    let work = ReplicateWork(
                        repository: there.place(), peer: try Site.ID("hk-alc"),
                        peerAgent: try EnrolledAgent.ID("agent-1"), peerAddress: location, peerVaultID: hereID,
                        peerHead: backup.head)
                    let assignment = try there.assignment(.replicate(work))
                    #expect(assignment.grant == nil)
                    guard case .replicate(let result) = try there.carryOut(assignment) else { return nil }
                    return result
                }
            }
        }
        let (first, second) = (try #require(copies[0]), try #require(copies[1]))
        #expect(first.snapshots == [backup.snapshot] && first.copiedBytes > 0)
        #expect(second.snapshots == [backup.snapshot] && second.copiedBytes == 0)
        let restored = try #require(try there.restore(backup.snapshot, to: there.directory("restored")))
        #expect(restored.files == 2)
    }

    @Test func aCheckNamesWhatIsDamaged() throws {
        let site = try site()
        try site.initialise()
        _ = try site.backUp([try site.folder()])
        func check() throws -> CheckResult? {
            let work = CheckWork(repository: site.place(), readData: true)
            guard case .check(let result) = try site.carryOut(try site.assignment(.check(work))) else { return nil }
            return result
        }
        #expect(try check()?.damaged == [])
        let store = try site.vault.forReading(site.tenant)
        let pack = try #require(try store.list(prefix: "packs/", after: nil, limit: 1).first)
        let path = "\(site.vault.path)/harbour/\(pack.key)"
        var bytes = try #require(try PrivateFile.read(path))
        bytes[bytes.count / 2] ^= 1
        try PrivateFile.write(bytes, to: path)
        let found = try #require(try check())
        #expect(found.damaged == [pack.key.text])
        #expect(found.snapshotsTouched.count == 1)
    }

    @Test func stoppingRemovesWhatTheMachineWrote() throws {
        let site = try site()
        let run = try RecoveryRun.ID("run-1")
        let folder = site.state.runFolder(run)
        try PrivateFile.makeDirectory(folder + "/desk/inner")
        try PrivateFile.write([1], to: folder + "/desk/system.qcow2")
        try PrivateFile.write([1], to: folder + "/disk.sock")
        let work = StopMachineWork(run: run, desktop: try Desktop.ID("desk"))
        try site.carryOut(try site.assignment(.stopMachine(work)))
        #expect(try site.state.leftoverRuns() == [])
    }

    @Test func stoppingAMachineThatIsNotThereIsDone() throws {
        let site = try site()
        let work = StopMachineWork(run: try RecoveryRun.ID("run-1"), desktop: try Desktop.ID("desk"))
        #expect(try site.carryOut(try site.assignment(.stopMachine(work))) == .stopMachine)
    }
}
