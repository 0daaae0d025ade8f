import Coordinator
import Model
import ObjectStore
import Platform
import Repository
import SiteAgent
import Support
import Testing
import Wire

/// What an agent need not do twice: read files that have not changed, store what a backup had stored that was cut off.
@Suite struct BackupResumeTests {
    private func site() throws -> TestSite {
        let site = try TestSite("hk-alc", try TestEstate(), try RepositoryKeys.make(.system))
        try site.initialise()
        return site
    }

    /// Orders a backup, and takes the order back when so many files are read.
    private func backUp(
        _ site: TestSite, _ folder: String, job: String, stoppingAfter files: UInt64 = .max
    ) throws -> BackupResult? {
        let work = BackupWork(
            repository: site.place(), desktop: try Desktop.ID("desk"), diskImage: nil, folders: [folder])
        let assignment = try site.assignment(.backup(work), job: job)
        let own = Monitor<WorkContext?>(nil)
        let context = WorkContext(assignment) { progress in
            if progress.files >= files { own.access { $0?.askToStop(.lost) } }
        }
        own.access { $0 = context }
        defer { own.access { $0 = nil } }
        guard case .backup(let result) = try site.worker.carryOut(assignment, context) else { return nil }
        return result
    }

    @Test func anAgentRemembersWhatItRead() throws {
        let site = try site()
        let folder = try site.folder()
        _ = try backUp(site, folder, job: "job-1")
        let files = try PrivateFile.names(in: site.state.filesFolder)
        #expect(files.count == 1)
    }

    @Test func aJobThatWasToldToStopGoesOnFromWhatItStored() throws {
        let site = try site()
        let folder = site.directory("large")
        try PrivateFile.makeDirectory(folder)
        var seed = Seed(8)
        for number in 0..<3 { try PrivateFile.write(seed.bytes(12 << 20), to: "\(folder)/\(number)") }
        #expect(throws: Failure(.cancelled, "")) { try backUp(site, folder, job: "job-1", stoppingAfter: 2) }
        let result = try #require(try backUp(site, folder, job: "job-1"))
        #expect(result.bytes == 36 << 20)
        #expect(result.storedBytes < 20 << 20)
        #expect(try site.restore(result.snapshot, to: site.directory("restored"))?.files == 3)
    }
}
