internal import Glibc

extension ChildProcess {
    /// Runs a short program to its end and gives what it printed on its standard output, for tools like qemu-img.
    /// Output goes through files in `scratch`, so a talkative program never waits for a reader.
    ///
    /// - Throws: `.failed` with the first line of its complaints when it ends otherwise than well; `.unreachable` when
    ///   it takes longer than `limit`, and then it is killed.
    package static func run(
        _ program: String, _ arguments: [String], directory: String? = nil, scratch: String, limit: Duration
    ) throws(Failure) -> [UInt8] {
        let outputs = try ["output", "errors"].map { name throws(Failure) in try temporary(scratch, name) }
        defer { for path in outputs { unsafe unlink(path) } }
        let child = try start(
            ProcessLaunch(
                program, arguments, environment: ["LC_ALL": "C"], directory: directory, output: .file(outputs[0]),
                errors: .file(outputs[1])))
        guard let exit = try child.wait(until: .after(limit)) else {
            child.kill()
            throw Failure(.unreachable, "\(program) took longer than \(limit)")
        }
        guard exit == .code(0) else {
            let complaint = try head(of: outputs[1], limit: 2000)
            throw Failure(.failed, "\(program) ended with \(exit): \(String(decoding: complaint, as: UTF8.self))")
        }
        return try head(of: outputs[0], limit: 1 << 20)
    }

    private static func temporary(_ folder: String, _ name: String) throws(Failure) -> String {
        var template = Array("\(folder)/\(name).XXXXXX".utf8CString)
        let number = unsafe mkstemp(&template)
        if number < 0 { throw .system(errno, "cannot make a file in \(folder)") }
        _ = close(number)
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func head(of path: String, limit: Int) throws(Failure) -> [UInt8] {
        try Descriptor.open(path, O_RDONLY).readSome(limit: limit)
    }
}
