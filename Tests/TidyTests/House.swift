/// The floors as Package.swift declares them, read from its text: a test cannot ask SwiftPM, which holds the package
/// while it runs tests.
struct House {
    struct Module: Equatable {
        var name: String
        var imports: [String]
        /// Modules of other packages.
        var libraries: [String]
        var testImports: [String]
        var testLibraries: [String]
    }
    struct Floor: Equatable {
        var name: String
        var modules: [Module]
    }

    /// From the ground up.
    private(set) var floors: [Floor] = []
    private(set) var programs: [Module] = []
    private(set) var testSupport: [Module] = []
    private(set) var crossTests: [Module] = []

    /// What every module may import besides: the language's own.
    static let languageModules: Set<String> = [
        "Swift", "Synchronization", "Glibc", "Foundation", "FoundationEssentials", "RegexBuilder",
    ]
    /// Declared as targets in C; `Platform` wraps them.
    static let foreignModules: Set<String> = [
        "CBoundaryScan", "CCurl", "CDigestPair", "CLinux", "COpenSSL", "CPKCS11", "CZlib", "CZstd",
    ]

    init(manifest: String) {
        let tokens = SwiftLexer.tokens(of: manifest)
        var products: [String: String] = [:]
        for index in tokens.indices where tokens[index].text == "product" && index >= 2 && index + 2 < tokens.count {
            // `static let name = product("Module", "package")`
            guard tokens[index - 1].text == "=", tokens[index + 2].kind == .string else { continue }
            products[tokens[index - 2].text] = tokens[index + 2].text
        }
        var reader = ManifestReader(tokens: tokens, products: products)
        while let section = reader.nextSection() {
            switch section {
            case .floor(let floor): floors.append(floor)
            case .modules("programs", let modules): programs = modules
            case .modules("testSupport", let modules): testSupport = modules
            case .modules("crossTests", let modules): crossTests = modules
            case .modules: break
            }
        }
    }

    var everyModule: [Module] { floors.flatMap(\.modules) + programs + testSupport + crossTests }

    func module(_ name: String) -> Module? { everyModule.first { $0.name == name } }

    /// A module of one of the floors, with the floor's number from the ground and the module's on its floor.
    func place(of name: String) -> (floor: Int, module: Int)? {
        for (floor, number) in zip(floors, floors.indices) {
            if let place = floor.modules.firstIndex(where: { $0.name == name }) { return (number, place) }
        }
        return nil
    }
}
