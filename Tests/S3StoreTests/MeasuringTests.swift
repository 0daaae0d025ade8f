import Engine
import Foundation
import ObjectStore
import Platform
import S3Store
import Support
import Testing

/// How fast the store is on the real engine: prints, and holds nothing to it. BREAKWATER_S3_MEASURE=1 runs it.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["BREAKWATER_S3_MEASURE"] != nil))
struct MeasuringTests {
    @Test(arguments: [1, 4]) func packsAndSmallObjects(threads: Int) throws {
        let engine = try S3Engine()
        let store = try engine.open(try engine.makeAddress())
        var seed = Seed(1)
        let pack = seed.bytes(16 << 20)
        let (packs, smalls) = (16, 200)

        func measure(
            _ what: String, _ count: Int, bytes: Int, _ body: @escaping @Sendable (Int) throws(Failure) -> Void
        ) {
            let start = Surroundings.system.uptime()
            let running = (0..<threads).map { thread in
                EngineThread(name: "measure") {
                    for number in stride(from: thread, to: count, by: threads) {
                        do throws(Failure) { try body(number) } catch { Issue.record("\(error)") }
                    }
                }
            }
            for thread in running { thread.join() }
            let seconds = Double(Surroundings.system.uptime() - start) / 1e9
            let rate = Int(Double(bytes * count) / 1e6 / seconds)
            let each = seconds * 1000 * Double(threads) / Double(count)
            print(
                "\(threads) threads: \(what): \(rate) MB/s, \(each) ms each"
            )
        }
        @Sendable func key(_ kind: String, _ number: Int) throws(Failure) -> StoreKey {
            guard let key = StoreKey("\(kind)/\(number)") else { throw Failure(.failed, "no key") }
            return key
        }
        measure("put of 16 MiB", packs, bytes: pack.count) { number throws(Failure) in
            try store.put(try key("packs", number), pack, use: .data)
        }
        measure("get of 16 MiB", packs, bytes: pack.count) { number throws(Failure) in
            _ = try store.get(try key("packs", number), range: 0..<UInt64(pack.count))
        }
        measure("put of 1 KiB", smalls, bytes: 1024) { number throws(Failure) in
            try store.put(try key("log", number), Array(pack.prefix(1024)), use: .log)
        }
        measure("get of 1 KiB", smalls, bytes: 1024) { number throws(Failure) in
            _ = try store.get(try key("log", number), range: 0..<1024)
        }
    }
}
