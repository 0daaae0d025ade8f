import Capture
import Foundation
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Testing

/// What other sizes, levels and numbers of threads would make of real data: prints, and holds nothing to it.
///
/// BREAKWATER_TRIAL=PATH[:PATH]... runs it: each path in turn, a directory as a tree and a file as a disk, goes into one
/// repository a trial, below TMPDIR. BREAKWATER_TRIAL_ONLY=WORDS leaves out those whose names do not begin so.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["BREAKWATER_TRIAL"] != nil))
struct TrialTests {
    struct Trial: CustomTestStringConvertible, Sendable {
        var testDescription: String
        /// Average length of a chunk; the least is a quarter, the greatest four times of it.
        var average: UInt32 = 128 << 10
        var options = BackupSession.Options()

        init(_ name: String, average: UInt32 = 128 << 10, _ change: (inout BackupSession.Options) -> Void = { _ in }) {
            testDescription = name
            self.average = average
            change(&options)
        }
    }

    private static let trials = all.filter {
        $0.testDescription.hasPrefix(ProcessInfo.processInfo.environment["BREAKWATER_TRIAL_ONLY"] ?? "")
    }
    private static let all =
        [Trial("defaults")]
        + [16, 32, 64, 128, 256, 512].map { size in Trial("chunks of \(size) KiB", average: size << 10) }
        + [256, 512, 1024, 2048].map { size in Trial("frames of \(size) KiB") { $0.groupBytes = size << 10 } }
        + [-5, -1, 1, 2, 5, 9].map { level in Trial("zstd level \(level)") { $0.level = level } }
        + [1, 3, 4].map { count in Trial("\(count) workers") { $0.workers = count } }

    @Test(arguments: trials) func measure(_ trial: Trial) throws {
        let environment = ProcessInfo.processInfo.environment
        let paths = try #require(environment["BREAKWATER_TRIAL"]).split(separator: ":").map(String.init)
        let place = try TemporaryDirectory("trial")
        try Directory.make(at: Array(place("vault").utf8))
        let surroundings = Surroundings.system
        let store = try DirectoryStore(at: place("vault"), access: .writing, surroundings: surroundings)
        let cut = Charter.CutSizes(minimum: trial.average / 4, average: trial.average, maximum: trial.average * 4)
        let bundle = try KeyBundle.make(cut: cut, surroundings: surroundings)
        let slot = try Slot.wrap(bundle, passphrase: [1], cost: .light, surroundings: surroundings)
        _ = try Repository.create(
            in: store, charter: bundle.charter, slots: [slot.bytes], site: try SigningKey(random: surroundings),
            surroundings: surroundings)
        for path in paths {
            let start = (surroundings.uptime(), Self.processorSeconds())
            let repository = try Repository.open(
                store, .passphrase([1]), heads: NoHeadMemory(), surroundings: surroundings)
            let session = try repository.beginBackup(trial.options)
            var isDirectory: ObjCBool = false
            let stream: SealedPart.Stream
            if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue {
                let (root, report) = try TreeCapture(into: session).run([AbsolutePath(path)])
                stream = .init(label: "", content: .tree(root), bytes: report.bytes, files: report.files)
            } else {
                let (disk, report) = try DiskCapture.run(
                    try DiskImage.open(AbsolutePath(path), as: .raw), into: session)
                stream = .init(label: "", content: .disk(disk), bytes: report.bytes, files: 1)
            }
            let snapshot = try session.commit(
                .init(name: path, time: Timestamp(seconds: 1), host: "", streams: [stream]))
            let wall = Double(surroundings.uptime() - start.0) / 1e9
            let line = [
                trial.testDescription, (path as NSString).lastPathComponent,
                "\(Self.rounded(Double(snapshot.part.storedBytes) / 1e6)) MB", "\(Self.rounded(wall)) s",
                "\(Self.rounded(Self.processorSeconds() - start.1)) CPU s", "\(session.counters.newChunks) new chunks",
            ]
            print("trial | " + line.joined(separator: " | "))
        }
    }

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    private static func processorSeconds() -> Double {
        var used = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(used.ru_utime) + seconds(used.ru_stime)
    }
}
