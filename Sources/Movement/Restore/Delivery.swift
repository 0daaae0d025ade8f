import Platform
import Repository
import Synchronization

/// Takes chunks as they come, on several threads, and sees every file to its end.
final class Delivery: Sendable {
    private let target: RestoreTarget
    private let watch: (@Sendable (RestoreProgress) throws -> Void)?
    private let unfinished = Mutex<[ObjectIdentifier: FileJob]>([:])
    private let progress = Mutex(RestoreProgress())

    init(_ target: RestoreTarget, watch: (@Sendable (RestoreProgress) throws -> Void)?) {
        self.target = target
        self.watch = watch
    }

    func begin(_ job: FileJob) { unfinished.withLock { $0[ObjectIdentifier(job)] = job } }

    /// - Throws: `.full`, as no other file would fare better; what `watch` throws.
    func deliver(_ bytes: UnsafeRawBufferPointer, to places: [ChunkBatch.Place]) throws {
        for place in places {
            var problem: Failure?
            do throws(Failure) {
                guard place.length == UInt64(bytes.count) else {
                    throw Failure(.damaged, "a chunk has \(bytes.count) bytes where the snapshot says \(place.length)")
                }
                if place.job.problem == nil { try unsafe target.write(bytes, at: place.offset, of: place.job) }
            } catch {
                if error.code == .full { throw error }
                problem = error
            }
            if place.job.settle(problem) { try finish(place.job) }
            progress.withLock { $0.bytes += place.length }
        }
        try watch?(progress.withLock { $0 })
    }

    func fail(_ failure: Failure, _ places: [ChunkBatch.Place]) {
        for place in places where place.job.settle(failure) {
            target.finish(place.job)
            forget(place.job)
        }
    }

    func finish(_ job: FileJob) throws {
        target.finish(job)
        forget(job)
        progress.withLock { $0.files += 1 }
        try watch?(progress.withLock { $0 })
    }

    private func forget(_ job: FileJob) {
        _ = unfinished.withLock { $0.removeValue(forKey: ObjectIdentifier(job)) }
    }

    /// The restore ends early: nothing half-written stays.
    func abandon() {
        for job in unfinished.withLock({ $0 }).values { target.discard(job) }
    }
}
