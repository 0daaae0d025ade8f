/// Imports only go down, and only to what Package.swift declares for the module; some libraries have one importer.
struct ImportRule {
    let house: House

    /// Who alone may import what, tests of the same module besides.
    static let soleImporters: [String: Set<String>] = [
        "GRDB": ["Catalog"],
        "AsyncHTTPClient": ["Wire"],
        "Hummingbird": ["Coordinator", "SiteAgent"],
        "HummingbirdTLS": ["Coordinator", "SiteAgent"],
        "COpenSSL": ["Platform"], "CZstd": ["Platform"], "CLinux": ["Platform"], "CBoundaryScan": ["Platform"],
        "CCurl": ["S3Store"],
    ]

    /// What the manifest itself declares against the order of the floors.
    func findingsInManifest() -> [Finding] {
        var findings: [Finding] = []
        for (floor, height) in zip(house.floors, house.floors.indices) {
            for (module, number) in zip(floor.modules, floor.modules.indices) {
                for imported in module.imports where !House.foreignModules.contains(imported) {
                    if let place = house.place(of: imported), place < (height, number) { continue }
                    findings.append(
                        Finding(
                            path: "Package.swift", line: 1,
                            what: "\(module.name) on floor \(floor.name) imports \(imported), which does not lie below")
                    )
                }
            }
        }
        for program in house.programs {
            for imported in program.imports where house.place(of: imported) == nil {
                findings.append(
                    Finding(
                        path: "Package.swift", line: 1,
                        what: "\(program.name) imports \(imported), which is on no floor"))
            }
        }
        return findings
    }

    func findings(in file: SourceFile) -> [Finding] {
        guard let room = room(of: file) else {
            guard file.path.hasPrefix("Sources/") || file.isTest, file.path.hasSuffix(".swift") else { return [] }
            return [Finding(path: file.path, line: 1, what: "lies in no module that Package.swift declares there")]
        }
        return imports(of: file).compactMap { line, imported in
            guard !room.allowed.contains(imported) else {
                guard !file.isTest, let sole = Self.soleImporters[imported], !sole.contains(room.name) else {
                    return nil
                }
                return Finding(
                    path: file.path, line: line,
                    what: "only \(sole.sorted().joined(separator: " and ")) may import \(imported)")
            }
            return Finding(
                path: file.path, line: line,
                what: "\(room.name) may not import \(imported): Package.swift does not declare it for this module")
        }
    }

    private struct Room {
        var name: String
        var allowed: Set<String>
    }

    /// The module that the file's folder stands for.
    private func room(of file: SourceFile) -> Room? {
        let parts = file.components.map(String.init)
        guard file.path.hasSuffix(".swift"), parts.count >= 3 else { return nil }
        if parts[0] == "Sources", parts.count >= 4 {
            let modules = parts[1] == "Programs" ? house.programs : house.floors.first { $0.name == parts[1] }?.modules
            guard let module = modules?.first(where: { $0.name == parts[2] }) else { return nil }
            return Room(
                name: module.name,
                allowed: House.languageModules.union(module.imports).union(module.libraries))
        }
        guard parts[0] == "Tests" else { return nil }
        let name = parts[1]
        let testModules = House.languageModules.union(["Testing"])
        if let module = house.testSupport.first(where: { $0.name == name }) {
            return Room(name: name, allowed: testModules.union(module.imports).union(module.libraries))
        }
        guard name.hasSuffix("Tests"), let module = house.module(String(name.dropLast("Tests".count))) else {
            return nil
        }
        return Room(
            name: name,
            allowed: testModules.union([module.name.replacing("-", with: "_")]).union(module.imports)
                .union(module.testImports).union(module.libraries).union(module.testLibraries))
    }

    /// Line and first name of each `import`, also of `import struct Module.Type`.
    private func imports(of file: SourceFile) -> [(Int, String)] {
        let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "var", "let"]
        return file.tokens.indices.compactMap { index in
            let tokens = file.tokens
            guard tokens[index].text == "import", tokens[index].kind == .word, index + 2 <= tokens.count else {
                return nil
            }
            var next = index + 1
            if next < tokens.count, kinds.contains(tokens[next].text) { next += 1 }
            guard next < tokens.count, tokens[next].kind == .word, tokens[next].line == tokens[index].line else {
                return nil
            }
            return (tokens[index].line, tokens[next].text)
        }
    }
}
