import Foundation

/// The files of the project, found from this file's own place.
struct ProjectTree {
    let root: String
    let topLevelEntries: [String]
    let manifest: String
    /// All text below the top level, and at it.
    let files: [SourceFile]

    static let textSuffixes: Set<String> = [
        "swift", "c", "h", "md", "sh", "yaml", "yml", "txt", "json", "modulemap", "service", "Makefile", "run",
    ]

    init(testFile: String = #filePath) throws {
        let url = URL(filePath: testFile).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        root = url.path(percentEncoded: false).trimmingSuffix("/")
        topLevelEntries = try FileManager.default.contentsOfDirectory(atPath: root)
        manifest = try String(contentsOfFile: root + "/Package.swift", encoding: .utf8)
        var files: [SourceFile] = []
        for entry in topLevelEntries.sorted() where LayoutRule.topLevel.contains(entry) || entry == ".ci" {
            var paths = [entry]
            if let below = FileManager.default.enumerator(atPath: root + "/" + entry) {
                paths += below.compactMap { $0 as? String }.sorted().map { entry + "/" + $0 }
            }
            for path in paths where Self.isText(path) {
                guard let text = try? String(contentsOfFile: root + "/" + path, encoding: .utf8) else { continue }
                files.append(SourceFile(path: path, text: text))
            }
        }
        self.files = files
    }

    private static func isText(_ path: String) -> Bool {
        guard let last = path.split(separator: "/").last?.split(separator: ".").last, path != "Package.resolved" else {
            return false
        }
        return textSuffixes.contains(String(last))
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
