/// Threads for the length of one call.
package enum Workers {
    /// Runs `body` for each element on as many threads, each of which takes the next that is left; after an error no more
    /// are taken. Waits for all, and throws the error that came first.
    package static func each<Element: Sendable>(
        _ elements: [Element], on threads: Int, _ body: @Sendable (Element) throws -> Void
    ) throws {
        let next = Monitor(0)
        try concurrently(min(max(threads, 1), elements.count)) { _ in
            while true {
                let mine = next.access { next in
                    defer { next += 1 }
                    return next
                }
                guard mine < elements.count else { return }
                do { try body(elements[mine]) } catch {
                    next.access { $0 = elements.count }
                    throw error
                }
            }
        }
    }

    /// Runs `body(0)` to `body(count - 1)`, each on a thread of its own, waits for all, and throws the error that came
    /// first.
    package static func concurrently(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
        guard count > 1 else {
            if count == 1 { try body(0) }
            return
        }
        let firstError = Monitor<(any Error)?>(nil)
        withoutActuallyEscaping(body) { body in
            let threads = (0..<count).map { index in
                EngineThread(name: "concurrently-\(index)") {
                    do { try body(index) } catch { firstError.access { $0 = $0 ?? error } }
                }
            }
            for thread in threads { thread.join() }
        }
        if let error = firstError.access({ $0 }) { throw error }
    }
}
