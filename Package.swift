// swift-tools-version: 6.2
//
// The house, floor by floor. A module may import modules of its own floor that stand before it and
// everything on the floors below; `TidyTests` holds the sources to what is written here.
//
// BREAKWATER_MODULES=BlockServer,Restore swift build   builds these modules, what they stand on and their
// tests only: for work on one room without building the house.

import PackageDescription

// MARK: - Libraries of others

let packages: [Package.Dependency] = [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
    .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
]

enum Library {
    static let argumentParser = product("ArgumentParser", "swift-argument-parser")
    static let asn1 = product("SwiftASN1", "swift-asn1")
    static let asyncHTTPClient = product("AsyncHTTPClient", "async-http-client")
    static let certificates = product("X509", "swift-certificates")
    static let crypto = product("Crypto", "swift-crypto")
    static let grdb = product("GRDB", "GRDB.swift")
    static let hummingbird = product("Hummingbird", "hummingbird")
    static let hummingbirdTesting = product("HummingbirdTesting", "hummingbird")
    static let hummingbirdTLS = product("HummingbirdTLS", "hummingbird")
    static let logging = product("Logging", "swift-log")
    static let nio = product("NIOCore", "swift-nio")
    static let nioHTTP1 = product("NIOHTTP1", "swift-nio")
    static let nioPosix = product("NIOPosix", "swift-nio")
    static let nioFoundation = product("NIOFoundationCompat", "swift-nio")
    static let nioSSL = product("NIOSSL", "swift-nio-ssl")
    static let serviceLifecycle = product("ServiceLifecycle", "swift-service-lifecycle")
    static let unixSignals = product("UnixSignals", "swift-service-lifecycle")
    static let yams = product("Yams", "Yams")

    static func product(_ name: String, _ package: String) -> Target.Dependency {
        .product(name: name, package: package)
    }
}

// MARK: - The floors, from the ground up

struct Module {
    var name: String
    var imports: [String] = []
    var libraries: [Target.Dependency] = []
    /// What only its tests import besides.
    var testImports: [String] = []
    var testLibraries: [Target.Dependency] = []
}

struct Floor {
    var name: String
    var modules: [Module]
}

let floors: [Floor] = [
    Floor(
        name: "Platform",
        modules: [
            Module(
                name: "Platform",
                imports: ["CBoundaryScan", "CDigestPair", "CLinux", "COpenSSL", "CPKCS11", "CZlib", "CZstd"],
                libraries: [Library.logging])
        ]),
    Floor(
        name: "Storage",
        modules: [
            Module(name: "ObjectStore", imports: ["Platform"], testImports: ["Conformance", "Support"]),
            Module(
                name: "S3Store", imports: ["Platform", "ObjectStore", "CCurl"], libraries: [Library.crypto],
                testImports: ["Conformance", "Support", "Engine"]),
        ]),
    Floor(
        name: "Repository",
        modules: [
            Module(name: "Chunking", imports: ["Platform"]),
            Module(name: "Sealing", imports: ["Platform"], libraries: [Library.crypto]),
            Module(
                name: "Repository", imports: ["Platform", "ObjectStore", "Chunking", "Sealing"],
                testImports: ["Conformance", "Support"]),
        ]),
    Floor(
        name: "Movement",
        modules: [
            Module(
                name: "Capture", imports: ["Platform", "Sealing", "Repository"],
                testImports: ["ObjectStore", "Support"]),
            Module(
                name: "Restore", imports: ["Platform", "ObjectStore", "Sealing", "Repository"],
                testImports: ["Capture", "Support"]),
            Module(
                name: "Replication", imports: ["Platform", "ObjectStore", "Sealing", "Repository"],
                testImports: ["Capture", "Restore", "Support"]),
            Module(
                name: "Browse", imports: ["Platform", "Sealing", "Repository", "Restore"],
                testImports: ["ObjectStore", "Capture", "ReadingEstate", "Support"]),
            Module(
                name: "Mount", imports: ["Platform", "Sealing", "Repository", "Browse"],
                testImports: ["ObjectStore", "Capture", "ReadingEstate", "Support"]),
        ]),
    Floor(
        name: "Machines",
        modules: [
            Module(
                name: "Hypervisor", imports: ["Platform"], libraries: [Library.logging], testImports: ["Support"]),
            Module(
                name: "BlockServer", imports: ["Platform", "Sealing", "Repository"],
                testImports: ["ObjectStore", "Hypervisor", "Support"], testLibraries: [Library.logging]),
        ]),
    Floor(
        name: "Control",
        modules: [
            Module(name: "Model", imports: ["Platform"]),
            Module(name: "Orchestration", imports: ["Platform", "Model"]),
            Module(name: "Catalog", imports: ["Platform", "Model", "Orchestration"], libraries: [Library.grdb]),
            Module(
                name: "Wire", imports: ["Platform", "ObjectStore", "Model"],
                libraries: [
                    Library.asn1, Library.asyncHTTPClient, Library.certificates, Library.crypto, Library.logging,
                    Library.nio, Library.nioHTTP1, Library.nioSSL, Library.serviceLifecycle,
                ],
                testLibraries: [Library.hummingbird, Library.hummingbirdTLS]),
            Module(
                name: "Coordinator",
                imports: ["Platform", "Sealing", "Repository", "Model", "Orchestration", "Catalog", "Wire"],
                libraries: [
                    Library.certificates, Library.crypto, Library.hummingbird, Library.hummingbirdTLS, Library.logging,
                    Library.nio, Library.nioPosix, Library.nioSSL, Library.serviceLifecycle,
                ],
                testLibraries: [Library.hummingbirdTesting]),
            Module(
                name: "SiteAgent",
                imports: [
                    "Platform", "ObjectStore", "Sealing", "Repository", "Capture", "Restore", "Replication",
                    "Hypervisor", "BlockServer", "Model", "Wire",
                ],
                libraries: [
                    Library.crypto, Library.hummingbird, Library.hummingbirdTLS, Library.logging, Library.nio,
                    Library.nioPosix, Library.serviceLifecycle, Library.unixSignals,
                ],
                testImports: ["Coordinator", "Catalog", "Conformance", "Support"]),
        ]),
]

let programs: [Module] = [
    Module(
        name: "breakwater",
        imports: [
            "Platform", "ObjectStore", "S3Store", "Sealing", "Repository", "Capture", "Restore", "Replication",
            "Browse",
            "Mount", "BlockServer", "Model", "Wire",
        ],
        libraries: [Library.argumentParser, Library.logging]),
    Module(
        name: "breakwater-bench", imports: ["Platform", "ObjectStore", "Sealing", "Repository"],
        libraries: [Library.argumentParser]),
    Module(
        name: "breakwater-agent", imports: ["Platform", "Model", "Wire", "SiteAgent"],
        libraries: [Library.argumentParser, Library.logging, Library.serviceLifecycle, Library.yams]),
    Module(
        name: "breakwater-coordinator", imports: ["Platform", "Model", "Catalog", "Wire", "Coordinator"],
        libraries: [
            Library.argumentParser, Library.logging, Library.serviceLifecycle, Library.unixSignals, Library.yams,
        ]),
]

/// Shared by tests: doubles and fixtures (`Support`), the suite every store must pass (`Conformance`), a repository
/// with snapshots to read (`ReadingEstate`), the S3 engine that `make test` starts (`Engine`), decoders under hostile
/// input (`FuzzTargets`) and what libFuzzer calls (`Fuzzer`).
let testSupport: [Module] = [
    Module(name: "Conformance", imports: ["Platform", "ObjectStore"]),
    Module(name: "Support", imports: ["Platform", "ObjectStore", "Conformance"]),
    Module(
        name: "ReadingEstate",
        imports: ["Platform", "ObjectStore", "Sealing", "Repository", "Capture", "Support"]),
    Module(name: "Engine", imports: ["Platform", "ObjectStore", "S3Store"]),
    Module(
        name: "FuzzTargets",
        imports: [
            "Platform", "S3Store", "Sealing", "Repository", "Capture", "Browse", "Mount", "Hypervisor", "BlockServer",
            "ReadingEstate", "Support",
        ]),
    Module(name: "Fuzzer", imports: ["FuzzTargets"]),
]

/// Suites that belong to no single module.
let crossTests: [Module] = [
    Module(name: "Tidy"),
    Module(name: "Fuzz", imports: ["Platform", "FuzzTargets"]),
    Module(
        name: "Simulation",
        imports: ["Platform", "ObjectStore", "Sealing", "Repository", "Replication", "Capture", "Restore", "Support"]),
    Module(
        name: "S3Vault",
        imports: ["Platform", "ObjectStore", "S3Store", "Sealing", "Repository", "Support", "Engine"]),
    Module(
        name: "EndToEnd",
        imports: [
            "Platform", "ObjectStore", "S3Store", "Sealing", "Repository", "Capture", "Restore", "Replication",
            "Support", "Engine", "breakwater",
        ]),
]

// MARK: - From floors to targets

/// Tests play the hostile world: they may poke at bytes without ceremony.
let testSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
let settings = testSettings + [.strictMemorySafety()]

let foreign: [Target] = [
    .systemLibrary(
        name: "COpenSSL", path: "Sources/Platform/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(
        name: "CZstd", path: "Sources/Platform/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .systemLibrary(
        name: "CZlib", path: "Sources/Platform/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .target(name: "CBoundaryScan", path: "Sources/Platform/CBoundaryScan", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CDigestPair", path: "Sources/Platform/CDigestPair", cSettings: [.unsafeFlags(["-O3"])]),
    .target(name: "CLinux", path: "Sources/Platform/CLinux"),
    // libcurl4-openssl-dev.
    .target(name: "CCurl", path: "Sources/Platform/CCurl", linkerSettings: [.linkedLibrary("curl")]),
    .target(name: "CPKCS11", path: "Sources/Platform/CPKCS11"),
]

func locals(_ names: [String]) -> [Target.Dependency] { names.map { .init(stringLiteral: $0) } }

func testTarget(_ module: Module, named name: String, dependsOnItself: Bool) -> Target {
    .testTarget(
        name: name,
        dependencies: locals((dependsOnItself ? [module.name] : []) + module.imports + module.testImports)
            + module.libraries + module.testLibraries,
        path: "Tests/\(name)", swiftSettings: testSettings)
}

let only = Context.environment["BREAKWATER_MODULES"].map { $0.split(separator: ",").map(String.init) }
let everyModule = floors.flatMap(\.modules) + programs + testSupport + crossTests
let byName = Dictionary(uniqueKeysWithValues: everyModule.map { ($0.name, $0) })

func closure(_ names: [String]) -> Set<String> {
    var reached: Set<String> = []
    var open = names
    while let name = open.popLast() {
        if reached.insert(name).inserted { open += byName[name]?.imports ?? [] }
    }
    return reached
}

let tested = Set(only ?? everyModule.map(\.name))
let wanted = only.map { closure($0 + $0.flatMap { byName[$0]?.testImports ?? [] }) } ?? Set(everyModule.map(\.name))

func target(_ module: Module, on floor: Floor) -> Target {
    .target(
        name: module.name, dependencies: locals(module.imports) + module.libraries,
        path: "Sources/\(floor.name)/\(module.name)", exclude: documents(of: module), swiftSettings: settings)
}

func program(_ module: Module) -> Target {
    .executableTarget(
        name: module.name, dependencies: locals(module.imports) + module.libraries,
        path: "Sources/Programs/\(module.name)", swiftSettings: settings)
}

/// libFuzzer brings a `main` of its own: the fuzzer is a program in `make fuzz` alone.
let isFuzzing = Context.environment["BREAKWATER_FUZZ"] != nil

func support(_ module: Module) -> Target {
    let (dependencies, path) = (locals(module.imports) + module.libraries, "Tests/\(module.name)")
    guard isFuzzing, module.name == "Fuzzer" else {
        return .target(name: module.name, dependencies: dependencies, path: path, swiftSettings: testSettings)
    }
    return .executableTarget(
        name: module.name, dependencies: dependencies, path: path,
        swiftSettings: testSettings + [.unsafeFlags(["-parse-as-library"])])
}

var targets = foreign
for floor in floors {
    for module in floor.modules where wanted.contains(module.name) { targets.append(target(module, on: floor)) }
    for module in floor.modules where tested.contains(module.name) {
        targets.append(testTarget(module, named: module.name + "Tests", dependsOnItself: true))
    }
}
for module in programs where wanted.contains(module.name) { targets.append(program(module)) }
for module in testSupport where wanted.contains(module.name) { targets.append(support(module)) }
for module in crossTests where tested.contains(module.name) {
    targets.append(testTarget(module, named: module.name + "Tests", dependsOnItself: false))
}

/// The byte-level specification stands beside the code it describes.
func documents(of module: Module) -> [String] { module.name == "Repository" ? ["FORMAT.md"] : [] }

let package = Package(
    name: "breakwater",
    dependencies: packages,
    targets: targets
)
