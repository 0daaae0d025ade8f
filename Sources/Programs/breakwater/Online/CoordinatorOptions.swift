internal import ArgumentParser
import Model
import Platform
import Wire

/// Where the coordinator is, and who asks. The environment serves where a flag is not given; the token itself never
/// stands in arguments or environment, only the name of its file does.
struct CoordinatorOptions: ParsableArguments, Sendable {
    @Option(help: "https://host:port of the coordinator ($BREAKWATER_COORDINATOR).")
    var coordinator: String?

    @Option(help: "File with the operator's token ($BREAKWATER_TOKEN_FILE).")
    var tokenFile: String?

    @Option(help: "File with the certificate of the coordinator's authority, PEM ($BREAKWATER_AUTHORITY).")
    var authority: String?

    /// Runs `body` with a client, and lets go of it.
    func connected<T>(_ body: (OperatorClient) async throws -> T) async throws -> T {
        let client = try OperatorClient(
            coordinator: try setting(coordinator, "BREAKWATER_COORDINATOR", "--coordinator"),
            authority: try content(try setting(authority, "BREAKWATER_AUTHORITY", "--authority")),
            token: try content(try setting(tokenFile, "BREAKWATER_TOKEN_FILE", "--token-file")).trimmed)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    private func setting(_ flag: String?, _ variable: String, _ name: String) throws(Failure) -> String {
        guard let value = flag ?? ClientState.variable(variable) else {
            throw Failure(.usage, "\(name) is missing", advice: "Give it, or set \(variable)")
        }
        return value
    }

    private func content(_ path: String) throws(Failure) -> String {
        guard let bytes = try PrivateFile.read(path) else {
            throw Failure(.notFound, "There is no file \(path)", advice: "Check the path.")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension String {
    /// Without the white space around it.
    fileprivate var trimmed: String {
        var text = Substring(self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text.drop { $0.isWhitespace })
    }
}

extension Label: ExpressibleByArgument {
    /// Ids are checked where they are written, so that a typing error is one of usage.
    package init?(argument: String) {
        guard let label = try? Label(argument) else { return nil }
        self = label
    }
}
