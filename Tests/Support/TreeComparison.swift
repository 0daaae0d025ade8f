import Glibc
import Platform

/// Every difference between two trees, as sentences; none when they are equal in all that a backup has to bring back.
package enum TreeComparison {
    package static func differences(_ left: String, _ right: String) throws -> [String] {
        var run = Run()
        try run.compare(try Directory(at: left), try Directory(at: right), path: "")
        // The same paths have to be names of the same file.
        let lefts = run.groups.left.values.filter { $0.count > 1 }.map { $0.sorted() }.sorted { $0[0] < $1[0] }
        let rights = run.groups.right.values.filter { $0.count > 1 }.map { $0.sorted() }.sorted { $0[0] < $1[0] }
        if lefts != rights { run.found.append("hard links: \(lefts) against \(rights)") }
        return run.found
    }

    private struct Run {
        var found: [String] = []
        var groups: (left: [UInt64: [String]], right: [UInt64: [String]]) = ([:], [:])

        mutating func compare(_ left: borrowing Directory, _ right: borrowing Directory, path: String) throws {
            let (lefts, rights) = (try left.sortedEntries().map(\.name), try right.sortedEntries().map(\.name))
            for name in lefts where !rights.contains(name) { found.append("missing: \(path)/\(text(name))") }
            for name in rights where !lefts.contains(name) { found.append("too many: \(path)/\(text(name))") }
            for name in lefts where rights.contains(name) {
                try compare(name, left, right, path: "\(path)/\(text(name))")
            }
        }

        mutating func compare(
            _ name: [UInt8], _ left: borrowing Directory, _ right: borrowing Directory, path: String
        ) throws {
            guard let one = try left.status(of: name), let other = try right.status(of: name) else { return }
            guard one.kind == other.kind else {
                found.append("\(path): kind \(one.kind) against \(other.kind)")
                return
            }
            func same<Value: Equatable>(_ what: String, _ value: Value, _ against: Value) {
                if value != against { found.append("\(path): \(what) \(value) against \(against)") }
            }
            same("mode", String(one.mode, radix: 8), String(other.mode, radix: 8))
            same("owner", one.owner, other.owner)
            same("group", one.group, other.group)
            same("seconds", one.modifiedSeconds, other.modifiedSeconds)
            same("nanoseconds", one.modifiedNanoseconds, other.modifiedNanoseconds)
            if one.kind != .directory {
                same("size", one.size, other.size)
                if one.links > 1 { groups.left[one.inode, default: []].append(path) }
                if other.links > 1 { groups.right[other.inode, default: []].append(path) }
            }
            if one.kind == .blockDevice || one.kind == .characterDevice { same("device", one.device, other.device) }
            same("attributes", try attributes(name, left), try attributes(name, right))
            switch one.kind {
            case .symbolicLink: same("target", try left.target(of: name), try right.target(of: name))
            case .file:
                if one.size == other.size { try content(name, left, right, size: one.size, path: path) }
                if one.allocated < one.size && other.allocated > one.allocated + (1 << 20) {
                    found.append("\(path): \(one.allocated) bytes on disk against \(other.allocated)")
                }
            case .directory: try compare(try left.directory(name), try right.directory(name), path: path)
            default: break
            }
        }

        private func attributes(_ name: [UInt8], _ parent: borrowing Directory) throws -> [String] {
            let file = try parent.openBeneath(name, flags: Directory.locating | O_NOFOLLOW)
            defer { close(file) }
            return try FileAttributes(of: file, located: true, label: text(name)).extended().map {
                "\(text($0.name))=\(Hex.encode($0.value))"
            }
        }

        /// Compares where either has data; what is a hole in both is equal.
        private mutating func content(
            _ name: [UInt8], _ left: borrowing Directory, _ right: borrowing Directory, size: UInt64, path: String
        ) throws {
            let one = Descriptor(owning: try left.openBeneath(name, flags: O_RDONLY), label: path)
            let other = Descriptor(owning: try right.openBeneath(name, flags: O_RDONLY), label: path)
            var (a, b) = ([UInt8](repeating: 0, count: 1 << 20), [UInt8](repeating: 0, count: 1 << 20))
            var at: UInt64 = 0
            while at < size {
                let data = min(try one.seekData(from: at) ?? size, try other.seekData(from: at) ?? size)
                if data >= size { return }
                at = data
                let counts = (
                    try a.withUnsafeMutableBytes { try one.read(into: $0, at: at) },
                    try b.withUnsafeMutableBytes { try other.read(into: $0, at: at) }
                )
                guard counts.0 == counts.1, counts.0 > 0, a[..<counts.0] == b[..<counts.1] else {
                    found.append("\(path): content differs at or after byte \(at)")
                    return
                }
                at += UInt64(counts.0)
            }
        }

        private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    }
}
