import Coordinator
import Foundation
import Model
import Platform
import Wire
import Yams

/// The coordinator's configuration file.
struct CoordinatorConfiguration: Decodable {
    /// All it keeps lies under this directory.
    var state: String
    /// `host:port` for operators and for agents that enrol; for agents.
    var operators: String
    var agents: String
    /// `https://host:port` under which agents reach their listener; what it listens on when nil.
    var agentsAddress: String?
    /// Names and addresses in the server's certificate; the listeners' own when nil.
    var names: [String]?
    /// Documents that declare sites; relative paths start beside the configuration.
    var sites: [String]
    var leaseSeconds: Int?
    /// A file with the passphrase that opens the key slot in every new vault.
    var escrowPassphraseFile: String?

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case state, operators, agents, agentsAddress, names, sites, leaseSeconds, escrowPassphraseFile
    }

    static func read(_ path: String) throws(Failure) -> CoordinatorConfiguration {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        return try decode(CoordinatorConfiguration.self, path, known: known)
    }

    func readSites(beside configuration: String) throws(Failure) -> [Site] {
        let directory = configuration.lastIndex(of: "/").map { String(configuration[...$0]) } ?? ""
        var declared: [Site] = []
        for name in sites {
            let path = name.hasPrefix("/") ? name : directory + name
            let known: Set<String> = ["id", "title", "failureDomain", "vault", "address", "peer", "accelerator"]
            let site = try Self.decode(Site.self, path, known: known)
            do { try site.check() } catch { throw error.during(path) }
            declared.append(site)
        }
        return declared
    }

    func settings() throws(Failure) -> Coordinator.Settings {
        let seconds = leaseSeconds ?? 30
        guard (3...3600).contains(seconds) else {
            throw Failure(.usage, "A lease of \(seconds) seconds", advice: "Take 3 to 3600")
        }
        if let agentsAddress { _ = try ServerAddress(agentsAddress) }
        var passphrase: [UInt8]?
        if let file = escrowPassphraseFile {
            guard var bytes = try PrivateFile.read(file) else {
                throw Failure(
                    .notFound, "There is no passphrase file \(file)", advice: "Check escrowPassphraseFile")
            }
            if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
            guard bytes.count >= 8 else {
                throw Failure(
                    .usage, "The passphrase in \(file) is shorter than 8 bytes", advice: "Write a longer one into it")
            }
            passphrase = bytes
        }
        // Leases are looked at often enough that one which ran out does not wait long.
        return Coordinator.Settings(
            leaseSeconds: seconds, tickMilliseconds: min(1000, seconds * 1000 / 10), agentsAddress: agentsAddress,
            escrowPassphrase: passphrase)
    }

    /// A misspelt key would be silently without effect, so it is refused.
    private static func decode<Value: Decodable>(
        _ type: Value.Type, _ path: String, known: Set<String>
    ) throws(Failure) -> Value {
        guard let bytes = try PrivateFile.read(path) else {
            throw Failure(.notFound, "There is no file \(path)", advice: "Check the path")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        do {
            let keys = try (Yams.load(yaml: text) as? [String: Any])?.keys.filter { !known.contains($0) } ?? []
            guard keys.isEmpty else {
                throw Failure(
                    .usage, "\(path) says \"\(keys.sorted().joined(separator: ", "))\", which means nothing here",
                    advice: "Known are: \(known.sorted().joined(separator: ", "))")
            }
            return try YAMLDecoder().decode(type, from: text)
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                .usage, "\(path) is not a valid \(type)", advice: "The documents in Sites/ show how they look",
                cause: error)
        }
    }
}
