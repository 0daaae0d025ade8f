import Platform
import Testing

@Suite struct WorkerTests {
    final class Tool { var uses = 0 }

    @Test func allWorkIsDoneBeforeFinishReturnsAndThePoolServesAgain() {
        let pool = WorkerPool(workers: 3, depth: 2, name: "test")
        let sum = Monitor(0)
        for round in 1...3 {
            for number in 1...100 { pool.submit { _ in sum.access { $0 += number } } }
            pool.finish()
            #expect(sum.access { $0 } == round * 5050)
        }
    }

    @Test func whoeverSubmitsWaitsWhenTheQueueIsFull() throws {
        let pool = WorkerPool(workers: 1, depth: 2, name: "test")
        let gate = Monitor(false)
        let started = Monitor(0)
        let submitted = Monitor(0)
        try Workers.concurrently(2) { index in
            if index == 0 {
                for _ in 0..<10 {
                    pool.submit { _ in
                        started.access { $0 += 1 }
                        gate.access(when: { $0 }) { _ in }
                    }
                    submitted.access { $0 += 1 }
                }
            } else {
                // One at work, two waiting, and the fourth is not taken until the gate opens.
                submitted.access(when: { $0 >= 3 }) { _ in }
                started.access(when: { $0 == 1 }) { _ in }
                #expect(submitted.access { $0 } <= 3)
                gate.access { $0 = true }
            }
        }
        pool.finish()
        #expect(started.access { $0 } == 10)
    }

    @Test func aWorkerKeepsItsThingsAndSharesThemWithNobody() {
        let pool = WorkerPool(workers: 2, depth: 4, name: "test")
        let uses = Monitor([0, 0])
        for _ in 0..<50 {
            pool.submit { worker in
                let tool = worker.kept { Tool() }
                tool.uses += 1
                uses.access { $0[worker.index] = tool.uses }
            }
        }
        pool.finish()
        #expect(uses.access { $0[0] + $0[1] } == 50)
    }

    @Test func aPoolLetGoOfByItsOwnWorkEnds() {
        let done = Monitor(0)
        for _ in 0..<20 {
            let pool = WorkerPool(workers: 2, depth: 1, name: "test")
            pool.submit { [pool] _ in
                _ = pool
                done.access { $0 += 1 }
            }
        }
        done.access(when: { $0 == 20 }) { _ in }
    }

    /// Owns a pool whose work holds the owner, as the writer of packs does.
    final class Owner: Sendable {
        let pool = WorkerPool(workers: 2, depth: 4, name: "test")
        let gone: Monitor<Int>
        init(_ gone: Monitor<Int>) { self.gone = gone }
        func work() { for _ in 0..<4 { pool.submit { [self] _ in _ = gone.access { $0 } } } }
        deinit { gone.access { $0 += 1 } }
    }

    @Test(.timeLimit(.minutes(1))) func aPoolWhoseWorkIsDoneKeepsNobodyAlive() {
        let gone = Monitor(0)
        for _ in 0..<10 {
            let owner = Owner(gone)
            owner.work()
            owner.pool.finish()
        }
        gone.access(when: { $0 == 10 }) { _ in }
    }

    @Test func concurrentWorkRunsTogetherAndEndsTogether() throws {
        // Each waits for all others: run one after another they would never end.
        let arrived = Monitor(0)
        try Workers.concurrently(5) { _ in
            arrived.access { $0 += 1 }
            arrived.access(when: { $0 == 5 }) { _ in }
        }
        try Workers.concurrently(0) { _ in Issue.record("there is nothing to run") }
        try Workers.concurrently(1) { index in arrived.access { $0 += index + 1 } }
        #expect(arrived.access { $0 } == 6)
    }

    @Test func theFirstErrorIsThrownAfterAllHaveEnded() {
        let ended = Monitor(0)
        #expect(throws: Failure(.damaged, "")) {
            try Workers.concurrently(3) { index in
                if index == 1 {
                    ended.access { $0 += 1 }
                    throw Failure(.damaged, "first")
                }
                ended.access(when: { $0 > 0 }) { $0 += 1 }
                if index == 2 { return }
                ended.access(when: { $0 == 3 }) { _ in }
            }
        }
        #expect(ended.access { $0 } == 3)
        #expect(throws: Failure(.full, "")) { try Workers.concurrently(1) { _ in throw Failure(.full, "") } }
    }
}
