import Testing

/// Each rule against samples that it must catch, and against look-alikes that it must let pass.
@Suite struct RulesCanFailTests {
    static let manifest = """
        enum Library {
            static let grdb = product("GRDB", "GRDB.swift")
            static let logging = product("Logging", "swift-log")
        }
        let floors: [Floor] = [
            Floor(name: "Platform", modules: [Module(name: "Platform", imports: ["CZstd"], libraries: [Library.logging])]),
            Floor(
                name: "Control",
                modules: [
                    Module(name: "Model", imports: ["Platform"], testImports: ["Support"]),
                    Module(name: "Catalog", imports: ["Platform", "Model"], libraries: [Library.grdb]),
                    Module(name: "Web", imports: ["Model"], libraries: [Library.grdb]),
                ]),
        ]
        let programs: [Module] = [Module(name: "daemon", imports: ["Model"])]
        let testSupport: [Module] = [Module(name: "Support", imports: ["Platform"])]
        let crossTests: [Module] = [Module(name: "Simulation", imports: ["Model"])]
        """

    private var imports: ImportRule { ImportRule(house: House(manifest: Self.manifest)) }

    private func swift(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

    // MARK: - Imports

    @Test(arguments: [
        ("Sources/Platform/Platform/A.swift", "import Model"),
        ("Sources/Platform/Platform/A.swift", "package import Catalog"),
        ("Sources/Control/Model/A.swift", "import Catalog"),
        ("Sources/Control/Model/A.swift", "import struct Catalog.Row"),
        ("Sources/Control/Model/A.swift", "@preconcurrency import GRDB"),
        ("Sources/Control/Model/A.swift", "import CZstd"),
        ("Sources/Control/Catalog/A.swift", "import Logging"),
        ("Sources/Control/Catalog/A.swift", "import Support"),
        ("Sources/Control/Catalog/A.swift", "import Testing"),
        ("Sources/Programs/daemon/A.swift", "import Catalog"),
        ("Sources/Control/Web/A.swift", "import GRDB"),
        ("Sources/Control/Unknown/A.swift", "import Platform"),
        ("Sources/Platform/Model/A.swift", "import Platform"),
        ("Tests/ModelTests/A.swift", "import Catalog"),
        ("Tests/Support/A.swift", "import Model"),
        ("Tests/NobodysTests/A.swift", "import Testing"),
    ])
    func `an import that is not declared is found`(path: String, text: String) {
        #expect(imports.findings(in: swift(path, "\n" + text)).count == 1)
    }

    @Test(arguments: [
        ("Sources/Control/Catalog/A.swift", "import GRDB\npackage import Model\nimport Platform\nimport Foundation"),
        ("Sources/Platform/Platform/A.swift", "import CZstd\nimport Glibc\n// import Model\nlet a = \"import Model\""),
        ("Sources/Programs/daemon/A.swift", "import Model"),
        ("Tests/ModelTests/A.swift", "import Model\nimport Support\nimport Testing\nimport Platform"),
        ("Tests/SimulationTests/A.swift", "import Model\nimport Testing"),
    ])
    func `a declared import passes`(path: String, text: String) {
        #expect(imports.findings(in: swift(path, text)) == [])
    }

    @Test func `a manifest that lets a floor import the one above is found`() {
        #expect(imports.findingsInManifest() == [])
        let upward = Self.manifest.replacing("imports: [\"CZstd\"]", with: "imports: [\"CZstd\", \"Model\"]")
        #expect(ImportRule(house: House(manifest: upward)).findingsInManifest().count == 1)
        let sideways = Self.manifest.replacing(
            "Module(name: \"Model\", imports: [\"Platform\"]", with: "Module(name: \"Model\", imports: [\"Web\"]")
        #expect(ImportRule(house: House(manifest: sideways)).findingsInManifest().count == 1)
        let stray = Self.manifest.replacing(
            "\"daemon\", imports: [\"Model\"]", with: "\"daemon\", imports: [\"Support\"]")
        #expect(ImportRule(house: House(manifest: stray)).findingsInManifest().count == 1)
    }

    // MARK: - Traps

    @Test(arguments: [
        "let a = try! read()", "let a = b!", "let a = b!.c", "let a = f()!", "let a = b[0]!", "let a = c as! Int",
        "var a: Int!", "let s = \"\\(name!)\"", "let a = b?.c!.d", "f(x!, y)", "let s = #\"\\#(name!)\"#",
        "fatalError(\"no\")", "let a = `default`!", "let s = \"\"\"\n    \\(lines[0]!)\n    \"\"\"", "let a = b! + c",
        "let a: Array<Int>! = nil",
    ])
    func `a trap is found`(text: String) {
        #expect(TrapRule.findings(in: swift("Sources/Platform/Platform/A.swift", text)).count == 1)
    }

    @Test(arguments: [
        "let a = !b", "if a != b {}", "if a !== b {}", "f(!a, !b)", "let s = \"Halt! \\(name) try!\"", "// b! and try!",
        "/* b! /* c! */ d! */", "let a = try? read()", "let a = b as? Int", "let s = #\"a\\(b!)\"#", "[!a]", "{ !$0 }",
        "let s = \"\"\"\n    He said \"no!\" and \\(left).\n    \"\"\"", "a = b ? !c : !d", "return !a", "a && !b",
        "let r = #/a!b/#",
    ])
    func `what only looks like a trap passes`(text: String) {
        #expect(TrapRule.findings(in: swift("Sources/Platform/Platform/A.swift", text)) == [])
    }

    @Test func `tests may stop by fatalError, and by nothing else`() {
        #expect(TrapRule.findings(in: swift("Tests/Support/A.swift", "fatalError(\"a double's own promise\")")) == [])
        #expect(TrapRule.findings(in: swift("Tests/Support/A.swift", "let a = try! b()")).count == 1)
    }

    // MARK: - Surroundings

    @Test(arguments: ["let a = Date()", "let a = UUID()", "let a = Date.now", "var g = SystemRandomNumberGenerator()"])
    func `a clock or a die of one's own is found`(text: String) {
        #expect(SurroundingsRule.findings(in: swift("Sources/Control/Model/A.swift", text)).count == 1)
        #expect(SurroundingsRule.findings(in: swift("Sources/Programs/daemon/A.swift", text)) == [])
        #expect(SurroundingsRule.findings(in: swift("Sources/Platform/Platform/A.swift", text)) == [])
    }

    @Test func `a date made of numbers passes`() {
        let text = "let a = Date(timeIntervalSince1970: 0)\nlet b: Date? = nil // Date()"
        #expect(SurroundingsRule.findings(in: swift("Sources/Control/Model/A.swift", text)) == [])
    }

    // MARK: - Length, layout, folders

    @Test func `a long file without a reason is found`() {
        let long = String(repeating: "let a = 1\n", count: 501)
        #expect(LengthRule.findings(in: swift("Sources/A/B/C.swift", long)).count == 1)
        #expect(LengthRule.findings(in: swift("Sources/A/B/C.c", long)).count == 1)
        #expect(LengthRule.findings(in: swift("Sources/A/B/C.swift", "// Long because: one table\n" + long)) == [])
        #expect(LengthRule.findings(in: swift("Sources/A/B/C.swift", "// Long because: \n" + long)).count == 1)
        #expect(
            LengthRule.findings(in: swift("Sources/A/B/C.swift", long.replacing("1\n", with: "1 ", maxReplacements: 1)))
                == [])
    }

    @Test func `a stray at the top and a drawer are found`() {
        #expect(LayoutRule.findings(topLevelEntries: ["Sources", ".ci", "Scripts", "notes.txt"]).count == 2)
        #expect(LayoutRule.findings(topLevelEntries: ["Sources", "Tests", ".gitignore", "README.md"]) == [])
        for path in [
            "Sources/Control/Utils/A.swift", "Sources/Control/Model/Helpers.swift", "Tests/Common/A.swift",
            "Sources/Control/Model/SessionManager.swift",
        ] {
            #expect(LayoutRule.findings(in: swift(path, "")).count == 1)
        }
        #expect(LayoutRule.findings(in: swift("Sources/Control/Model/CommonName.swift", "")) == [])
    }

    @Test func `a folder of the build machine is found`() {
        let rule = BuildMachineRule(root: "/srv/checkout")
        #expect(rule.findings(in: SourceFile(path: "Sites/a.sh", text: "cd /srv/checkout/Sites")).count == 1)
        #expect(rule.findings(in: SourceFile(path: "Sites/a.sh", text: "\ncd /" + "work/trees/x")).map(\.line) == [2])
        #expect(rule.findings(in: SourceFile(path: "Sites/a.sh", text: "cd /srv/other; ls Sources/a")) == [])
    }
}
