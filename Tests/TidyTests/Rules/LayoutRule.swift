/// Folder names are the vocabulary: few at the top, and no drawers.
enum LayoutRule {
    static let topLevel: Set<String> = [
        "Package.swift", "Sources", "Tests", "Sites", "Fixtures", "README.md", "ARCHITECTURE.md", "Makefile",
        // Written by SwiftPM, ignored by git.
        "Package.resolved",
    ]
    static let drawers: Set<String> = ["utils", "util", "utilities", "common", "helpers", "helper", "manager", "misc"]
    /// Of types' names.
    static let drawerEndings = ["Utils", "Utilities", "Helper", "Helpers", "Manager"]

    static func findings(topLevelEntries entries: [String]) -> [Finding] {
        entries.filter { !$0.hasPrefix(".") && !topLevel.contains($0) }.sorted().map {
            Finding(path: $0, line: 1, what: "does not belong at the top level")
        }
    }

    /// Of a path below `Sources/` or `Tests/`: no folder or file that could hold anything.
    static func findings(in file: SourceFile) -> [Finding] {
        let names = file.components.map { $0.split(separator: ".").first.map(String.init) ?? "" }
        let isDrawer = { (name: String) in
            drawers.contains(name.lowercased()) || drawerEndings.contains(where: name.hasSuffix)
        }
        return names.filter(isDrawer).map {
            Finding(path: file.path, line: 1, what: "\"\($0)\" is a drawer: name it after what it holds")
        }
    }
}
