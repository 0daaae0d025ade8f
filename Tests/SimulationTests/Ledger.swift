import Platform
import Repository

/// What the programs of a run say they did, to hold the vaults to.
final class Ledger: Sendable {
    struct Contents {
        /// By the label that a snapshot carries as its host.
        var contents: [String: [UInt8]] = [:]
        /// Manifests whose commit was confirmed.
        var committed: Set<Digest> = []
        /// Manifests that a collector forgot, or tried to, by the vault's location.
        var forgotten: [String: Set<Digest>] = [:]
        /// Writers and copiers that are not done.
        var working = 3
        /// Programs that came to no good end.
        var problems: [String] = []
        var condemned = 0
        var refused = 0
        var copied = 0
        var staged = 0
    }

    private let monitor = Monitor(Contents())
    var contents: Contents { monitor.access { $0 } }
    func note(_ body: (inout Contents) -> Void) { monitor.access { body(&$0) } }

    /// Tries again whatever a program may rightly meet, and gives up on what it may not.
    func persistently(_ program: String, attempts: Int = 40, _ body: () throws -> Void) {
        var last: (any Error)?
        for _ in 0..<attempts {
            do { return try body() } catch let failure as Failure {
                last = failure
                switch failure.code {
                case .cancelled: return
                case .refused: note { $0.refused += 1 }
                case .unreachable, .damaged, .notFound, .unknownOutcome: break
                default:
                    note { $0.problems.append("\(program): \(failure)") }
                    return
                }
            } catch {
                note { $0.problems.append("\(program): \(error)") }
                return
            }
        }
        note { $0.problems.append("\(program) came to no end: \(last.map { "\($0)" } ?? "")") }
    }
}
