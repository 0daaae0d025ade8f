import Foundation
import Glibc
import Platform
import Support
import Testing

/// The built program, run as a person runs it: a process of its own, with a state directory and a vault below a
/// directory that goes away with the test.
final class Toolbox: Sendable {
    let directory: TemporaryDirectory

    init(_ label: String = "end-to-end", passphrase: String = "correct horse battery\n") throws {
        directory = try TemporaryDirectory(label)
        try write(passphrase, "passphrase")
    }

    func callAsFunction(_ name: String) -> String { directory(name) }

    /// What a run left behind.
    struct Run {
        var exit: ChildProcess.Exit
        var output: String
        var errors: String

        /// The lines of standard output, each an object of JSON.
        var objects: [[String: Any]] {
            get throws {
                try output.split(separator: "\n").map { line in
                    let value = try JSONSerialization.jsonObject(with: Data(line.utf8))
                    return try #require(value as? [String: Any], "\(line)")
                }
            }
        }

        func events(_ name: String) throws -> [[String: Any]] { try objects.filter { $0["event"] as? String == name } }
        var result: [String: Any] { get throws { try #require(try events("result").last, "\(output)\(errors)") } }
    }

    // MARK: - Running

    /// `BREAKWATER_BIN`, or the program beside the tests.
    static let program: String = {
        if let chosen = ProcessInfo.processInfo.environment["BREAKWATER_BIN"] { return chosen }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return (own as NSString).deletingLastPathComponent + "/breakwater"
    }()

    struct Started {
        var child: ChildProcess
        fileprivate var output: String
        fileprivate var errors: String
    }

    private var environment: [String: String] {
        ["BREAKWATER_STATE": self("state"), "BREAKWATER_PASSPHRASE_FILE": "", "LC_ALL": "C.UTF-8", "TZ": "UTC"]
    }

    /// Before a command: takes from root what lets it read what is closed to it; from others there is nothing to take.
    static let withoutOverride =
        geteuid() == 0
        ? [
            "setpriv", "--inh-caps=-dac_override,-dac_read_search", "--bounding-set=-dac_override,-dac_read_search",
        ] : []

    /// - Parameter prefix: a program, with its arguments, that starts the one under test.
    func start(
        _ arguments: [String], environment added: [String: String] = [:], through prefix: [String] = []
    ) throws -> Started {
        let mark = self("run-" + Hex.encode(Surroundings.system.random(8)))
        let command = prefix + [Self.program] + arguments
        let child = try ChildProcess.start(
            ProcessLaunch(
                command[0], Array(command[1...]), environment: environment.merging(added) { $1 },
                directory: directory.path,
                output: .file(mark + ".out"), errors: .file(mark + ".err")))
        return Started(child: child, output: mark + ".out", errors: mark + ".err")
    }

    func finish(_ started: Started, limit: Duration = .seconds(300)) throws -> Run {
        let exit = try #require(try started.child.wait(until: .after(limit)), "it did not end")
        return Run(
            exit: exit, output: try String(contentsOfFile: started.output, encoding: .utf8),
            errors: try String(contentsOfFile: started.errors, encoding: .utf8))
    }

    func run(
        _ arguments: [String], environment: [String: String] = [:], through prefix: [String] = []
    ) throws -> Run {
        try finish(try start(arguments, environment: environment, through: prefix))
    }

    /// `breakwater repository VERB --vault V --passphrase-file F ...`
    @discardableResult
    func repository(
        _ verb: String, _ more: [String] = [], vault: String = "vault", exits code: Int32 = 0,
        at location: SourceLocation = #_sourceLocation
    ) throws -> Run {
        let run = try run(arguments(verb, more, vault: vault))
        #expect(run.exit == .code(code), "\(verb): \(run.errors)", sourceLocation: location)
        return run
    }

    func arguments(_ verb: String, _ more: [String], vault: String = "vault") -> [String] {
        ["repository", verb, "--vault", self(vault), "--passphrase-file", self("passphrase")] + more
    }

    // MARK: - Files

    func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

    func write(_ bytes: [UInt8], _ name: String) throws {
        let path = self(name)
        try Directory.make(at: Array((path as NSString).deletingLastPathComponent.utf8))
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        try file.write(bytes)
        try file.close()
    }

    func makeDirectory(_ name: String) throws { try Directory.make(at: Array(self(name).utf8)) }

    func bytes(of name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: self(name))))
    }

    /// Files below a directory of the vault, by their paths in it, in order.
    func objects(_ folder: String, vault: String = "vault") -> [String] {
        let found =
            FileManager.default.enumerator(atPath: self(vault) + "/" + folder)?.compactMap { $0 as? String } ?? []
        return found.map { folder + "/" + $0 }.filter { path in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(atPath: self(vault) + "/" + path, isDirectory: &isDirectory)
                && !isDirectory.boolValue
        }.sorted()
    }

    /// Everything below a directory, folders too, in order.
    func folders(_ name: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: self(name)).sorted()
    }

    /// Turns one bit in the middle of an object.
    func damage(_ object: String, vault: String = "vault") throws {
        let path = self(vault) + "/" + object
        chmod(path, 0o600)
        let file = try Descriptor.open(path, O_RDWR)
        let middle = try file.size() / 2
        var byte: [UInt8] = [0]
        let count = try byte.withUnsafeMutableBytes { try file.read(into: $0, at: middle) }
        #expect(count == 1)
        byte[0] ^= 0x10
        try byte.withUnsafeBytes { try file.write($0, at: middle) }
        try file.close()
        chmod(path, 0o400)
    }

    /// The only snapshot of a name.
    func snapshot(_ name: String) throws -> String {
        let found = try repository("snapshots").objects.filter { $0["name"] as? String == name }
        #expect(found.count == 1)
        return try #require(found.first?["id"] as? String)
    }

    // MARK: - What is compared

    func differences(_ source: String, _ restored: String) throws -> [String] {
        try TreeComparison.differences(self(source), self(restored) + self(source))
    }
}
