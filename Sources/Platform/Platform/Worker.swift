/// One thread of a pool, as the work that runs on it sees it.
package final class Worker {
    /// 0 ..< the pool's number of workers.
    package let index: Int
    private var belongings: [ObjectIdentifier: AnyObject] = [:]

    init(index: Int) { self.index = index }

    /// What this worker keeps from one piece of work to the next: one object of each type, made when first asked for.
    /// Compressors, ciphers and buffers are dear to make and serve one thread at a time.
    package func kept<Thing: AnyObject>(_ make: () throws -> Thing) rethrows -> Thing {
        if let thing = belongings[ObjectIdentifier(Thing.self)] as? Thing { return thing }
        let thing = try make()
        belongings[ObjectIdentifier(Thing.self)] = thing
        return thing
    }
}
