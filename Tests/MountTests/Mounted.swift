import Browse
import Glibc
import Mount
import Platform
import ReadingEstate
import Repository
import Support
import Testing

/// Snapshots mounted for one test, and unmounted when it lets go of this. Where nothing can be mounted, the test fails:
/// nothing would be known of what it is about.
final class Mounted {
    let path: String
    let session: MountSession
    private let thread: EngineThread
    private let heard: Monitor<[String]>
    private let ended: Monitor<Bool>
    private let isJoined = Monitor(false)

    init(
        _ shape: SnapshotMenu.Shape, _ estate: ReadingEstate, limits: MountLimits = MountLimits(),
        named name: String = "mount"
    ) throws {
        let obstacle = FuseChannel.obstacle
        try #require(obstacle == nil, "THIS MACHINE HAS NO FUSE, so that mounts cannot be tested: \(obstacle ?? "")")
        path = estate.temporary(name)
        try Directory.make(at: Array(path.utf8))
        let heard = Monitor<[String]>([])
        let session = try MountSession(
            shape, try Readers(try estate.open(), cache: limits.frameBytes), at: Array(path.utf8), limits: limits
        ) { line in
            heard.access { $0.append(line) }
        }
        let ended = Monitor(false)
        thread = EngineThread(name: "mounted") {
            do { try session.run() } catch { heard.access { $0.append("ended by \(error)") } }
            ended.access { $0 = true }
        }
        (self.heard, self.session, self.ended) = (heard, session, ended)
    }

    /// To be deferred by every test: an object that is not named any more may go before the test has ended.
    func end() {
        session.stop()
        let isFirst = isJoined.access { isJoined in
            defer { isJoined = true }
            return !isJoined
        }
        if isFirst { thread.join() }
    }

    deinit { end() }

    /// What people were told of.
    var complaints: [String] { heard.access { $0 } }

    /// Waits for the session to end by itself.
    func waitForEnd() { ended.access(when: { $0 }) { _ in } }

    static func isMounted(_ path: String) -> Bool {
        guard let file = try? Descriptor.open("/proc/self/mounts", O_RDONLY) else { return false }
        var bytes: [UInt8] = []
        while let more = try? file.readSome(limit: 65536), !more.isEmpty { bytes += more }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").contains {
            $0.split(separator: " ").dropFirst().first.map(String.init) == path
        }
    }
}

/// The whole of a file, or the error's number.
func contents(_ path: String) -> Result<[UInt8], ErrorNumber> {
    let file = open(path, O_RDONLY)
    guard file >= 0 else { return .failure(ErrorNumber(errno)) }
    defer { close(file) }
    var out: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 17)
    while true {
        let count = read(file, &buffer, buffer.count)
        if count < 0 { return .failure(ErrorNumber(errno)) }
        if count == 0 { return .success(out) }
        out += buffer[..<count]
    }
}

struct ErrorNumber: Error, Equatable {
    var number: Int32
    init(_ number: Int32) { self.number = number }
}

func names(in path: String) throws -> [String] {
    try Directory(at: path).sortedEntries().map { String(decoding: $0.name, as: UTF8.self) }
}
