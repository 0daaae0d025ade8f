import Platform
import Repository
import Sealing

/// What the programs of a run say they did, to hold the vaults to.
final class Ledger: Sendable {
    struct Contents {
        /// By the label that a snapshot carries as its host.
        var contents: [String: [UInt8]] = [:]
        /// Manifests whose commit was confirmed.
        var committed: Set<Digest> = []
        /// Manifests that a collector forgot, or tried to, by the vault's location.
        var forgotten: [String: Set<Digest>] = [:]
        /// Programs for whose sake the others go on.
        var working = 0
        /// The stolen writer, while there is one; labels of what others began before its revocation stood, which its lies
        /// may have led astray.
        var thief: AuthorID?
        var isRevoked = false
        var exposed: Set<String> = []
        /// The vault whose disk goes bad, in some runs.
        var sick: String?
        /// From here on everybody may be refused.
        var isDestroying = false
        /// Programs that came to no good end.
        var problems: [String] = []
        /// How often each thing happened.
        var counts: [Event: Int] = [:]
    }

    enum Event: String, CaseIterable {
        case committed, staged, copied, restored, condemned, deleted, released, repacked, checked, forgotten
        case rotated, retired, revoked, voided, settled, destroyed, stolen, astray, refused, slept, late, torn, rotted,
            repaired, gone
    }

    private let monitor = Monitor(Contents())
    var contents: Contents { monitor.access { $0 } }
    func note(_ body: (inout Contents) -> Void) { monitor.access { body(&$0) } }
    func count(_ event: Event, _ more: Int = 1) { note { $0.counts[event, default: 0] += more } }
    func complain(_ problem: String) { note { $0.problems.append(problem) } }
}

/// What every program of a run has: its name, its place in the order of turns, and what it knows of the others.
struct Berth: Sendable {
    let name: String
    let number: Int
    let harbour: Harbour
    let siteKeys: SharedSiteKeys
    let ledger: Ledger
    let turns: Interleaving
    let surroundings: Surroundings

    enum Outcome { case done, died, over }

    /// Tries again whatever a program may rightly meet, and gives up on what it may not. Between two tries others move:
    /// that is all the fairness that is asked for.
    @discardableResult
    func persistently(attempts: Int = 60, _ body: () throws -> Void) -> Outcome {
        var last: (any Error)?
        for attempt in 1...attempts {
            do {
                try body()
                return .done
            } catch let failure as Failure {
                last = failure
                switch failure.code {
                case .cancelled: return .died
                case .refused:
                    ledger.count(.refused)
                    if ledger.contents.isDestroying { return .over }
                case .unreachable, .damaged, .notFound, .unknownOutcome: break
                default:
                    ledger.complain("\(name): \(failure)")
                    return .over
                }
            } catch {
                ledger.complain("\(name): \(error)")
                return .over
            }
            turns.rest(number, calls: 10 * attempt)
        }
        ledger.complain("\(name) came to no end: \(last.map { "\($0)" } ?? "")")
        return .over
    }
}
