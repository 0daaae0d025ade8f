import Glibc

/// Runs `body` on `count` threads at once and waits for all of them: for races that a thread pool would hide.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) throws {
    final class Work: Sendable {
        let index: Int
        let body: @Sendable (Int) -> Void
        init(_ index: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.index = index
            self.body = body
        }
    }
    var threads: [pthread_t] = []
    defer { for thread in threads { pthread_join(thread, nil) } }
    for index in 0..<count {
        var thread = pthread_t()
        let work = Unmanaged.passRetained(Work(index, body)).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                let work = Unmanaged<Work>.fromOpaque(raw).takeRetainedValue()
                work.body(work.index)
                return nil
            }, work)
        guard result == 0 else { throw Violation(what: "no thread could be started: \(result)") }
        threads.append(thread)
    }
}
