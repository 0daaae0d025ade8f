import Model
import Synchronization

/// Which poll of each agent is the newest. An agent has one at a time, so an older one that is still held belongs to a
/// process or a connection that is gone: work handed to it would lie there until its lease ran out.
final class Polls: Sendable {
    private let newest = Mutex<[EnrolledAgent.ID: UInt64]>([:])

    /// Numbers a poll that has just come in.
    func begin(_ agent: EnrolledAgent.ID) -> UInt64 {
        newest.withLock { newest in
            let number = newest[agent, default: 0] + 1
            newest[agent] = number
            return number
        }
    }

    func isNewest(_ number: UInt64, of agent: EnrolledAgent.ID) -> Bool { newest.withLock { $0[agent] == number } }
}
