internal import ArgumentParser
import Glibc
import Platform
import Sealing

/// Which vault.
struct VaultOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("vault"),
        help: ArgumentHelp(
            "The directory that holds the vault, or s3://BUCKET/PREFIX[?endpoint=https://HOST][&locked=BUCKET&retain=30d].",
            valueName: "vault"))
    var path: String
}

/// Which key. Secrets come from files, never as arguments: arguments are seen by everybody.
struct PassphraseOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("passphrase-file"),
        help: ArgumentHelp(
            "The file that holds the passphrase. Otherwise BREAKWATER_PASSPHRASE_FILE names it.", valueName: "file"))
    var file: String?

    @Option(
        name: .customLong("writer-file"),
        help: ArgumentHelp(
            "A writer's file instead: with it one can back up, and read nothing.", valueName: "file",
            visibility: .hidden))
    /// `backup` alone takes it, and its help says so; every other command refuses it by name.
    var writerFile: String?

    @Option(
        name: .customLong("cmk"),
        help: ArgumentHelp(
            "The key in a token that the repository is under: pkcs11:token=T;object=K?module-path=P&pin-source=file:/F",
            valueName: "uri"))
    var key: String?

    private static let longest = 64 << 10

    private var path: String? { file ?? ClientState.variable("BREAKWATER_PASSPHRASE_FILE") }
    var isGiven: Bool { writerFile != nil || key != nil || path != nil }

    /// What opens the repository's key slots.
    /// - Throws: `.refused` for a writer's file, which opens none; what `passphrase(in:_:)` throws.
    func read(_ console: Console) throws(Failure) -> SlotKey {
        guard writerFile == nil else {
            throw Failure(
                .refused, "a writer's file lets a machine back up, and read nothing of what is stored",
                advice: "Do this where the repository's passphrase is.")
        }
        if let key { return .token(try KeyURI(key).key()) }
        return .passphrase(try Self.passphrase(in: path, console))
    }

    /// The content of the file, without one newline at its end.
    /// - Throws: `.usage` when no file is named; `.notFound`; `.refused` for an empty one.
    static func passphrase(in path: String?, _ console: Console) throws(Failure) -> [UInt8] {
        guard let path, !path.isEmpty else {
            throw Failure(
                .usage, "no passphrase was given",
                advice: "Name its file with --passphrase-file or in BREAKWATER_PASSPHRASE_FILE.")
        }
        let source = try Descriptor.open(try RawArguments.bytes(of: path), O_RDONLY)
        let status = try FileStatus(of: source.number, label: path)
        guard status.kind != .directory else {
            throw Failure(
                .usage, "the passphrase file \(path) is a directory", advice: "Name the file that holds the passphrase."
            )
        }
        if status.kind == .file, status.mode & 0o004 != 0 {
            console.warn("everybody on this machine can read the passphrase file \(path); `chmod 600` it")
        }
        var bytes: [UInt8] = []
        while bytes.count <= longest {
            let more = try source.readSome(limit: longest)
            if more.isEmpty { break }
            bytes += more
        }
        guard bytes.count <= longest else {
            throw Failure(
                .usage, "the passphrase file \(path) is longer than \(longest) bytes",
                advice: "Check that it is the file with the passphrase.")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard !bytes.isEmpty else {
            throw Failure(.refused, "the passphrase file \(path) is empty", advice: "Write a passphrase into it.")
        }
        return bytes
    }
}
