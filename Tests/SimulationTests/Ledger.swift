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
        var deleted = 0
        var released = 0
        var restored = 0
        var repacked = 0
        var refused = 0
        var copied = 0
        var staged = 0
    }

    private let monitor = Monitor(Contents())
    var contents: Contents { monitor.access { $0 } }
    func note(_ body: (inout Contents) -> Void) { monitor.access { body(&$0) } }

    /// Tries again whatever a program may rightly meet, and gives up on what it may not.
    /// - Returns: false when the program died.
    @discardableResult
    func persistently(_ program: String, attempts: Int = 40, _ body: () throws -> Void) -> Bool {
        var last: (any Error)?
        for _ in 0..<attempts {
            do {
                try body()
                return true
            } catch let failure as Failure {
                last = failure
                switch failure.code {
                case .cancelled: return false
                case .refused: note { $0.refused += 1 }
                case .unreachable, .damaged, .notFound, .unknownOutcome: break
                default:
                    note { $0.problems.append("\(program): \(failure)") }
                    return true
                }
            } catch {
                note { $0.problems.append("\(program): \(error)") }
                return true
            }
        }
        note { $0.problems.append("\(program) came to no end: \(last.map { "\($0)" } ?? "")") }
        return true
    }
}
