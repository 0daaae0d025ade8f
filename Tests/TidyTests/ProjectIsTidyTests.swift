import Testing

/// The project itself, held to every rule. What each rule catches is shown in `RulesCanFailTests`.
@Suite struct ProjectIsTidyTests {
    let tree: ProjectTree
    let house: House

    init() throws {
        tree = try ProjectTree()
        house = House(manifest: tree.manifest)
    }

    private func expectNone(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
        let text = findings.map(\.description).joined(separator: "\n")
        #expect(findings.isEmpty, "\(findings.count) to mend:\n\(text)", sourceLocation: sourceLocation)
    }

    @Test func `the walk and the manifest were really read`() {
        #expect(tree.files.filter { $0.path.hasPrefix("Sources/") }.count > 100)
        #expect(tree.files.contains { $0.path == "Makefile" } && tree.files.contains { $0.path == ".ci/run" })
        #expect(
            house.floors.map(\.name) == ["Platform", "Storage", "Repository", "Movement", "Machines", "Control"])
        #expect(
            house.programs.map(\.name) == [
                "breakwater", "breakwater-bench", "breakwater-agent", "breakwater-coordinator",
            ])
        #expect(house.module("Catalog")?.libraries == ["GRDB"])
        #expect(house.module("Wire")?.libraries.contains("AsyncHTTPClient") == true)
        #expect(house.testSupport.map(\.name).contains("Support") && house.crossTests.map(\.name).contains("Tidy"))
    }

    @Test func `imports only go down, to what the manifest declares`() {
        let rule = ImportRule(house: house)
        expectNone(rule.findingsInManifest() + tree.files.flatMap(rule.findings(in:)))
    }

    @Test func `nothing traps on what the world sends`() {
        expectNone(tree.files.flatMap(TrapRule.findings(in:)))
    }

    @Test func `time and randomness come in from outside`() {
        expectNone(tree.files.flatMap(SurroundingsRule.findings(in:)))
    }

    @Test func `long files give their reason`() {
        expectNone(tree.files.flatMap(LengthRule.findings(in:)))
    }

    @Test func `the top level is small and nothing is a drawer`() {
        expectNone(
            LayoutRule.findings(topLevelEntries: tree.topLevelEntries) + tree.files.flatMap(LayoutRule.findings(in:)))
    }

    @Test func `no folder of the build machine is named`() {
        let rule = BuildMachineRule(root: tree.root)
        expectNone(tree.files.flatMap(rule.findings(in:)))
    }
}
