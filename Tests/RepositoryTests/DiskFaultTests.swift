import Glibc
import ObjectStore
import Platform
import Repository
import Sealing
import Support
import Synchronization
import Testing

/// A vault on a real disk that fails in the middle of a put: at every directory, file, fsync and rename of a backup the
/// process dies there, or the disk answers with an error once and goes on.
struct DiskFaultTests {
    /// What happens at the step with a number; the steps of one store are counted from its opening.
    final class Fault: Sendable {
        enum Kind: Sendable, CaseIterable { case death, inputOutput, noSpace }

        private let at: Int
        private let kind: Kind
        private let reached = Atomic<Int>(0)

        init(at: Int, _ kind: Kind) {
            self.at = at
            self.kind = kind
        }

        var steps: Int { reached.load(ordering: .relaxed) }

        func reach(_ step: FaultPoint.Step) throws(Failure) {
            let number = reached.wrappingAdd(1, ordering: .relaxed).oldValue
            switch kind {
            case .death where number >= at: throw Failure(.failed, "the process is dead")
            case .inputOutput where number == at: throw Failure.system(EIO, "\(step)")
            case .noSpace where number == at: throw Failure.system(ENOSPC, "\(step)")
            default: return
            }
        }
    }

    private let damage: DamageEstate
    private let directory: TemporaryDirectory
    private let content: [UInt8]

    init() throws {
        damage = try DamageEstate(seed: 90)
        directory = try TemporaryDirectory("disk-faults")
        content = damage.estate.bytes(300_000)
    }

    /// A vault on disk with the estate's two snapshots.
    private func vault(_ name: String) throws -> String {
        let path = directory(name)
        for key in damage.store.keys {
            let slash = key.lastIndex(of: "/").map { String(key[..<$0]) } ?? ""
            try Directory.make(at: Array("\(path)/\(slash)".utf8))
            let bytes = try damage.store.get(try #require(StoreKey(key)), atMost: 1 << 30)
            let file = try Descriptor.open("\(path)/\(key)", O_WRONLY | O_CREAT | O_EXCL, mode: 0o400)
            try file.write(bytes)
            try file.close()
        }
        return path
    }

    private func store(_ path: String, _ fault: Fault? = nil) throws -> DirectoryStore {
        try DirectoryStore(
            at: path, access: .writing, surroundings: .seeded(3), reserve: 0,
            faults: fault.map { fault in FaultPoint { step throws(Failure) in try fault.reach(step) } })
    }

    /// Steps of a backup that nothing befalls, and what its snapshot reads back as.
    private func undisturbed() throws -> (steps: Int, truth: [UInt8]) {
        let fault = Fault(at: .max, .death)
        let repository = try damage.open(try store(try vault("undisturbed"), fault))
        let snapshot = try DamageEstate.backUp(content, into: repository)
        return (fault.steps, try DamageEstate.everything(of: snapshot, in: repository))
    }

    @Test(arguments: Fault.Kind.allCases) func everyStepOfABackupMayFail(kind: Fault.Kind) throws {
        let (steps, truth) = try undisturbed()
        #expect(steps >= 60, "a backup has fewer steps than it must have: \(steps)")
        var finished = 0
        for step in 0..<steps {
            let path = try vault("\(kind)-\(step)")
            defer { TemporaryDirectory.clear(Array(path.utf8)) }
            var made: Snapshot?
            do {
                made = try DamageEstate.backUp(content, into: try damage.open(try store(path, Fault(at: step, kind))))
            } catch is Failure {}
            // Another process finds everything committed, and nothing half-visible.
            let after = try store(path)
            #expect(try damage.check(after).findings == [], "\(kind) at step \(step)")
            let repository = try damage.open(after, seed: 100)
            let outcomes = try damage.outcomes(repository)
            for id in damage.snapshots { #expect(outcomes[id] == .right, "\(kind) at step \(step)") }
            if let made {
                finished += 1
                let found = try repository.findSnapshot(made.id.hex)
                #expect(try DamageEstate.everything(of: found, in: repository) == truth, "\(kind) at step \(step)")
            }
            // And the next backup finds nothing in its way.
            if step % 5 == 0 {
                let next = try DamageEstate.backUp(content, into: repository)
                #expect(try DamageEstate.everything(of: next, in: repository) == truth)
                #expect(try damage.check(after).findings == [], "after \(kind) at step \(step)")
            }
        }
        // A disk that fails once is a backup that fails, or one whose step was made again; a dead process reports nothing.
        #expect(kind == .death ? finished == 0 : finished < steps / 2, "\(finished) of \(steps) reported success")
    }
}
