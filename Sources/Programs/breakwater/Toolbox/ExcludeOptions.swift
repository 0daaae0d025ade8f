internal import ArgumentParser
import Capture
import Glibc
import Platform

/// What a backup of files leaves out.
struct ExcludeOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "Leave out what matches a pattern, as a line of a .gitignore would; can be given several times.",
            discussion: "`/` at its beginning stands for each PATH. Goes before .breakwaterignore files.",
            valueName: "pattern"))
    var exclude: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Leave out what matches the patterns in a file; --exclude goes before it.", valueName: "file"))
    var excludeFrom: [String] = []

    @Flag(name: .long, help: "Of directories that are tagged as caches (CACHEDIR.TAG), keep the tag only.")
    var excludeCaches = false

    /// - Throws: `.usage` for a pattern that is none, `.notFound` for a file that is not there.
    func list() throws(Failure) -> ExcludeList {
        var all = ExcludeList()
        for name in excludeFrom { all.append(try read(name)) }
        var given: [ExcludePattern] = []
        for text in exclude {
            guard let pattern = ExcludePattern(try RawArguments.bytes(of: text)) else {
                throw Failure(.usage, "\(text) is no pattern", advice: Self.advice)
            }
            given.append(pattern)
        }
        all.append(ExcludeList(given))
        return all
    }

    private func read(_ name: String) throws(Failure) -> ExcludeList {
        let file = try Descriptor.open(try RawArguments.path(name).bytes, O_RDONLY | O_NONBLOCK)
        guard try FileStatus(of: file.number, label: file.label).kind == .file,
            try file.size() <= UInt64(ExcludeList.longestFile)
        else { throw Failure(.usage, "\(name) is no file of patterns, or longer than 1 MiB") }
        let list = try ExcludeList(file: try file.readSome(limit: ExcludeList.longestFile))
        if let first = list.wrongLines.first {
            throw Failure(.usage, "line \(first) of \(name) is no pattern", advice: Self.advice)
        }
        return list
    }

    private static let advice = "A [ wants its ], a \\ something after it; gitignore(5) says what else there is."
}
