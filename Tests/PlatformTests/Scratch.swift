import Glibc
import Platform

/// A directory for one test, gone with all its files when the test lets go of it.
final class Scratch {
    let path: String

    init() throws {
        path = "/tmp/breakwater-platform-" + Hex.encode(Surroundings.system.random(8))
        if mkdir(path, 0o700) != 0 { throw Failure.system(errno, "cannot make \(path)") }
    }

    deinit {
        if let directory = try? Directory(at: path) {
            for entry in (try? directory.entries()) ?? [] { _ = try? directory.remove(entry.name) }
        }
        rmdir(path)
    }

    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }
}
