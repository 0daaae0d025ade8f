internal import ArgumentParser
import Glibc
import Platform

/// Which vault.
struct VaultOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("vault"),
        help: ArgumentHelp(
            "The directory that holds the vault, or s3://BUCKET/PREFIX[?endpoint=https://HOST].", valueName: "vault"))
    var path: String
}

/// Which key. The passphrase comes from a file, never as an argument: arguments are seen by everybody.
struct PassphraseOptions: ParsableArguments, Sendable {
    @Option(
        name: .customLong("passphrase-file"),
        help: ArgumentHelp(
            "The file that holds the passphrase. Otherwise BREAKWATER_PASSPHRASE_FILE names it.", valueName: "file"))
    var file: String?

    private static let longest = 64 << 10

    private var path: String? { file ?? ClientState.variable("BREAKWATER_PASSPHRASE_FILE") }
    var isGiven: Bool { path != nil }

    /// The content of the file, without one newline at its end.
    /// - Throws: `.usage` when no file is named; `.notFound`; `.refused` for an empty one.
    func read(_ console: Console) throws(Failure) -> [UInt8] {
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
        while bytes.count <= Self.longest {
            let more = try source.readSome(limit: Self.longest)
            if more.isEmpty { break }
            bytes += more
        }
        guard bytes.count <= Self.longest else {
            throw Failure(
                .usage, "the passphrase file \(path) is longer than \(Self.longest) bytes",
                advice: "Check that it is the file with the passphrase.")
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard !bytes.isEmpty else {
            throw Failure(.refused, "the passphrase file \(path) is empty", advice: "Write a passphrase into it.")
        }
        return bytes
    }
}
