import Glibc
import Platform

/// The arguments as bytes. Names of files are bytes; text that is no UTF-8 is repaired on its way through the argument
/// parser, and this finds what was really given.
enum RawArguments {
    static let texts = given.map { String(decoding: $0, as: UTF8.self) }

    private static let given: [[UInt8]] = (1..<max(1, Int(CommandLine.argc))).compactMap { index in
        guard let argument = unsafe CommandLine.unsafeArgv[index] else { return nil }
        return unsafe Array(UnsafeRawBufferPointer(start: argument, count: strlen(argument)))
    }

    /// The bytes of an argument that the parser gave as `text`.
    /// - Throws: `.usage` when two arguments differ in bytes that are no text, and so cannot be told apart.
    static func bytes(of text: String) throws(Failure) -> [UInt8] {
        let plain = Array(text.utf8)
        guard text.contains("\u{FFFD}") else { return plain }
        var found: Set<[UInt8]> = []
        for argument in given {
            // As an argument of its own, or behind the `=` of its option.
            let value = argument.firstIndex(of: UInt8(ascii: "=")).map { Array(argument[($0 + 1)...]) }
            for candidate in [argument, value ?? argument] where String(decoding: candidate, as: UTF8.self) == text {
                found.insert(candidate)
            }
        }
        guard found.count <= 1 else {
            throw Failure(
                .usage, "two names that are no UTF-8 look the same: \(text)", advice: "Name them one at a time.")
        }
        return found.first ?? plain
    }

    /// The path that an argument means, from where the person is.
    static func path(_ text: String) throws(Failure) -> AbsolutePath {
        guard !text.isEmpty else {
            throw Failure(.usage, "a path is empty", advice: "Name a file or directory, or leave the option out.")
        }
        return AbsolutePath(try bytes(of: text), from: try AbsolutePath.current())
    }

    /// - Throws: `.usage` for an empty path, which some shell variable was to fill.
    static func requireVault(_ path: String) throws(Failure) {
        guard path.isEmpty else { return }
        throw Failure(
            .usage, "the path of the vault is empty", advice: "Name the directory or the bucket that holds the vault.")
    }
}
