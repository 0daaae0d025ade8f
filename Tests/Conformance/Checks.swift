import Glibc
import ObjectStore
import Platform
import Synchronization

typealias Check = @Sendable (_ store: any ObjectStore, _ other: any ObjectStore) throws -> Void

let checks: [(String, Check)] = [
    ("1 a second put is refused and changes nothing", secondPut),
    ("1 of racing puts exactly one wins", racingPuts),
    ("2 what was put is read and listed by every client", readAfterWrite),
    ("4 a ranged get is exact", rangedGets),
    ("4 a range past the end is damage", pastTheEnd),
    ("4 what is not there is not found", missing),
    ("5 deleting is idempotent", deleting),
    ("where it can be done, replacing leaves the new bytes", replacing),
    ("6 a list is ordered, paged and bounded by its prefix", listing),
    ("an empty object and a large one", sizes),
    ("keys that look alike stay apart", alike),
    ("puts, gets and deletes from many threads", crowd),
    ("free space is no more than all space", space),
]

private func secondPut(store: any ObjectStore, other: any ObjectStore) throws {
    let name = try key("log/1")
    try store.put(name, [1, 2, 3], use: .log)
    try expect(.exists, "a second put") { () throws(Failure) in try store.put(name, [4, 5, 6, 7], use: .log) }
    try expect(.exists, "an equal second put") { () throws(Failure) in try other.put(name, [1, 2, 3], use: .data) }
    try hold(store.get(name, range: 0..<3) == [1, 2, 3], "the second put changed the object")
    try hold(store.length(of: name) == 3, "the second put changed the length")
}

private func replacing(store: any ObjectStore, other: any ObjectStore) throws {
    guard let mending = store as? any MendingStore else { return }
    let name = try key("sets/3")
    for bytes: [UInt8] in [[1, 2, 3], [4, 5], []] {
        try mending.replace(name, bytes, use: .data)
        try hold(try other.length(of: name) == UInt64(bytes.count), "the replaced object has another length")
        try hold(try other.get(name, range: 0..<UInt64(bytes.count)) == bytes, "the replaced object has other bytes")
    }
    try expect(.exists, "a put after it") { () throws(Failure) in try store.put(name, [9], use: .data) }
}

private func racingPuts(store: any ObjectStore, other: any ObjectStore) throws {
    for round in 0..<12 {
        let name = try key("race/deep/\(round)")
        let outcomes = Mutex<[(winner: UInt8?, error: Failure?)]>([])
        try concurrently(8) { index in
            let bytes = [UInt8](repeating: UInt8(index), count: 10_000 + index)
            do throws(Failure) {
                try (index.isMultiple(of: 2) ? store : other).put(name, bytes, use: .data)
                outcomes.withLock { $0.append((UInt8(index), nil)) }
            } catch {
                outcomes.withLock { $0.append((nil, error)) }
            }
        }
        let all = outcomes.withLock { $0 }
        let winners = all.compactMap(\.winner)
        try hold(winners.count == 1, "\(winners.count) of 8 racing puts won")
        for failure in all.compactMap(\.error) {
            try hold(failure.code == .exists, "a losing put failed with \(failure.code): \(failure)")
        }
        let bytes = try store.get(name, atMost: 20_000)
        try hold(
            bytes == [UInt8](repeating: winners[0], count: 10_000 + Int(winners[0])),
            "the object is not what the winner put")
    }
}

private func readAfterWrite(store: any ObjectStore, other: any ObjectStore) throws {
    for number in 0..<20 {
        let name = try key("a/\(number % 3)/b\(number)")
        let bytes = [UInt8](repeating: UInt8(number), count: number * 100)
        try store.put(name, bytes, use: .data)
        try hold(other.length(of: name) == UInt64(bytes.count), "the length of \(name) is not that of the put")
        try hold(other.get(name, atMost: 5000) == bytes, "\(name) does not read back")
        let listed = try other.list(prefix: "a/", after: nil, limit: 100)
        try hold(
            listed.contains(StoredObject(key: name, length: UInt64(bytes.count))), "\(name) is not listed after its put"
        )
    }
}

private func rangedGets(store: any ObjectStore, other: any ObjectStore) throws {
    let name = try key("ranges")
    let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    try store.put(name, bytes, use: .data)
    for range in [0..<0, 0..<1, 0..<1000, 999..<1000, 1000..<1000, 500..<501, 13..<977] {
        let got = try other.get(name, range: UInt64(range.lowerBound)..<UInt64(range.upperBound))
        try hold(got == Array(bytes[range]), "range \(range) gives \(got.count) other bytes")
    }
}

private func pastTheEnd(store: any ObjectStore, other: any ObjectStore) throws {
    let name = try key("short")
    try store.put(name, [1, 2, 3], use: .data)
    for range: Range<UInt64> in [0..<4, 3..<4, 2..<10, 4..<4, 10..<20, 0..<UInt64.max, (1 << 63)..<(1 << 63 + 1)] {
        try expect(.damaged, "a get of \(range) of 3 bytes") { () throws(Failure) in
            _ = try store.get(name, range: range)
        }
    }
}

private func missing(store: any ObjectStore, other: any ObjectStore) throws {
    try store.put(key("there/object"), [1], use: .data)
    for text in ["absent", "absent/below", "there", "there/object/below"] {
        let name = try key(text)
        try expect(.notFound, "a get of \(text)") { () throws(Failure) in _ = try store.get(name, range: 0..<1) }
        try hold(store.length(of: name) == nil, "\(text) has a length")
    }
}

private func deleting(store: any ObjectStore, other: any ObjectStore) throws {
    let (name, neighbour) = (try key("d/one"), try key("d/two"))
    try store.delete(name)
    try store.delete(key("nowhere/at/all"))
    try store.put(name, [1], use: .data)
    try store.put(neighbour, [2], use: .data)
    try store.delete(name)
    try store.delete(name)
    try hold(other.length(of: name) == nil, "a deleted object has a length")
    try expect(.notFound, "a get after the delete") { () throws(Failure) in _ = try other.get(name, range: 0..<1) }
    try hold(other.list(prefix: "d/", after: nil, limit: 10).map(\.key) == [neighbour], "a deleted object is listed")
    try hold(other.get(neighbour, range: 0..<1) == [2], "the delete touched another object")
}

private func listing(store: any ObjectStore, other: any ObjectStore) throws {
    // No key is the directory of another: a store of files cannot hold both.
    let names = [
        "a-b", "a.b", "a/a", "a/b.c", "a/b/c", "a0", "ab/c", "b/a-/c", "b/a.d", "b/a/d", "log/1", "log/10", "log/2",
        "zz",
    ]
    for name in names.reversed() { try store.put(key(name), Array(name.utf8), use: .data) }
    let ordered = try names.map(key).sorted()
    let whole = try other.list(prefix: "", after: nil, limit: 100)
    try hold(whole.map(\.key) == ordered, "the list of all is \(whole.map(\.key.text))")
    try hold(whole.allSatisfy { $0.length == UInt64($0.key.text.utf8.count) }, "a listed length is wrong")
    for prefix in ["a", "a/", "b/a", "log/", "log/1", "nothing", "zz", "zzz"] {
        let right = ordered.filter { $0.text.utf8.starts(with: prefix.utf8) }
        let listed = try other.list(prefix: prefix, after: nil, limit: 100).map(\.key)
        try hold(listed == right, "the list under \(prefix) is \(listed)")
        for limit in 1...4 {
            var paged: [StoreKey] = []
            while true {
                let page = try store.list(prefix: prefix, after: paged.last, limit: limit)
                try hold(page.count <= limit, "a page of \(page.count) where at most \(limit) were asked for")
                if page.isEmpty { break }
                paged += page.map(\.key)
                try hold(paged.count <= right.count, "pages repeat themselves")
            }
            try hold(paged == right, "pages of \(limit) under \(prefix) give \(paged)")
        }
        for after in ordered {
            let listed = try store.list(prefix: prefix, after: after, limit: 100).map(\.key)
            try hold(listed == right.filter { after < $0 }, "the list under \(prefix) after \(after) is \(listed)")
        }
    }
    try hold(store.list(prefix: "", after: nil, limit: 0).isEmpty, "a page of no objects has some")
}

private func sizes(store: any ObjectStore, other: any ObjectStore) throws {
    try store.put(key("empty"), [], use: .data)
    try hold(other.length(of: key("empty")) == 0, "an empty object has a length other than 0")
    try hold(other.get(key("empty"), range: 0..<0).isEmpty, "an empty object has bytes")
    let content = (0..<5_000_001).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
    let large = try key("large")
    try store.put(large, content, use: .data)
    try hold(other.get(large, atMost: 5_000_001) == content, "a large object does not read back")
    try expect(.damaged, "a get that is bounded below the length") { () throws(Failure) in
        _ = try other.get(large, atMost: 5_000_000)
    }
}

private func alike(store: any ObjectStore, other: any ObjectStore) throws {
    let names = [
        "x/a_b", "x/a-b", "x/a.b", "x/ab", "x/a..b", "x/a.", "x/0", "x/00", String(repeating: "k/", count: 200) + "k",
    ]
    for (index, name) in names.enumerated() { try store.put(key(name), [UInt8(index)], use: .data) }
    for (index, name) in names.enumerated() {
        try hold(other.get(key(name), range: 0..<1) == [UInt8(index)], "\(name) holds the bytes of another")
    }
}

private func crowd(store: any ObjectStore, other: any ObjectStore) throws {
    let failures = Mutex<[String]>([])
    try concurrently(8) { thread in
        do {
            for round in 0..<20 {
                let name = try key("crowd/\(round % 4)/\(thread)-\(round)")
                let bytes = [UInt8](repeating: UInt8(thread * 20 + round), count: 3000)
                try store.put(name, bytes, use: .data)
                try hold(other.get(name, range: 1000..<2000) == Array(bytes[..<1000]), "\(name) reads wrong")
                if round.isMultiple(of: 2) { try other.delete(name) }
                _ = try store.list(prefix: "crowd/", after: nil, limit: 50)
            }
        } catch {
            failures.withLock { $0.append("\(error)") }
        }
    }
    let seen = failures.withLock { $0 }
    try hold(seen.isEmpty, seen.joined(separator: "; "))
    let left = try store.list(prefix: "crowd/", after: nil, limit: 1000)
    try hold(left.count == 80, "\(left.count) objects are left where 80 should be")
}

private func space(store: any ObjectStore, other: any ObjectStore) throws {
    guard let space = try store.space() else { return }
    try hold(space.total > 0 && space.free <= space.total, "\(space.free) bytes are free of \(space.total)")
}
