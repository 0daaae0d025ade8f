import Platform

/// Runs `body` on a thread as the programs run their commands on: hostile trees are deeper than the stack of a thread of
/// the test runner's, of which instrumented code needs more.
package func onEngineThread<Value>(_ body: () throws -> Value) throws -> Value {
    try withoutActuallyEscaping(body) { body in
        let box = Box(body)
        EngineThread(name: "test") { box.run() }.join()
        guard let outcome = box.outcome else { throw Failure(.failed, "the thread came to no end") }
        return try outcome.get()
    }
}

/// Unchecked: the caller waits for the thread, so that one of them at a time is at it.
private final class Box<Value>: @unchecked Sendable {
    private let body: () throws -> Value
    private(set) var outcome: Result<Value, any Error>?

    init(_ body: @escaping () throws -> Value) { self.body = body }

    func run() { outcome = Result { try body() } }
}
