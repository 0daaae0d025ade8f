/// Finds `Floor(...)` and `Module(...)` in the tokens of Package.swift.
struct ManifestReader {
    enum Section {
        case floor(House.Floor)
        /// `let <name>: [Module] = [...]`
        case modules(String, [House.Module])
    }

    let tokens: [SwiftToken]
    let products: [String: String]
    private var position = 0

    init(tokens: [SwiftToken], products: [String: String]) {
        self.tokens = tokens
        self.products = products
    }

    mutating func nextSection() -> Section? {
        while position < tokens.count {
            if matches("Floor", "(", "name", ":") {
                let name = text(4)
                position += 5
                return .floor(House.Floor(name: name, modules: modules()))
            }
            if matches("let"), text(2) == ":", text(3) == "[", text(4) == "Module", text(5) == "]" {
                let name = text(1)
                position += 6
                return .modules(name, modules())
            }
            position += 1
        }
        return nil
    }

    /// The modules from here to the end of the brackets that open next.
    private mutating func modules() -> [House.Module] {
        while position < tokens.count, !matches("[") { position += 1 }
        var found: [House.Module] = []
        var depth = 0
        while position < tokens.count {
            if matches("Module", "(", "name", ":") {
                position += 2
                found.append(module())
                continue
            }
            depth += step
            position += 1
            if depth == 0 { break }
        }
        return found
    }

    /// The arguments of `Module(`, up to and with its `)`.
    private mutating func module() -> House.Module {
        var module = House.Module(name: "", imports: [], libraries: [], testImports: [], testLibraries: [])
        var label = ""
        var depth = 1
        while position < tokens.count, depth > 0 {
            let token = tokens[position]
            if depth == 1, token.kind == .word, text(1) == ":" { label = token.text }
            switch (label, token.kind) {
            case ("name", .string): module.name = token.text
            case ("imports", .string): module.imports.append(token.text)
            case ("testImports", .string): module.testImports.append(token.text)
            case ("libraries", .word) where depth > 1:
                if let product = products[token.text] { module.libraries.append(product) }
            case ("testLibraries", .word) where depth > 1:
                if let product = products[token.text] { module.testLibraries.append(product) }
            default: break
            }
            depth += step
            position += 1
        }
        return module
    }

    /// How the token here changes the depth of brackets.
    private var step: Int {
        guard tokens[position].kind == .bracket else { return 0 }
        switch tokens[position].text {
        case "(", "[", "{": return 1
        case ")", "]", "}": return -1
        default: return 0
        }
    }

    private func text(_ offset: Int) -> String {
        position + offset < tokens.count ? tokens[position + offset].text : ""
    }

    private func matches(_ words: String...) -> Bool {
        zip(words, words.indices).allSatisfy { text($1) == $0 }
    }
}
