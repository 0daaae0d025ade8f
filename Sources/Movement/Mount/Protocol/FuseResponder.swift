package import Browse
import Glibc
import Platform
import Repository

/// Answers the kernel's requests: bytes in, an answer out. Whatever a snapshot holds, the answer is what it says or an
/// error. Safe to use from several threads.
package final class FuseResponder: Sendable {
    let tree: SnapshotTree
    private let complain: @Sendable (String) -> Void
    private let state = Monitor(State())

    private struct State {
        var open: [UInt64: OpenFile] = [:]
        var next: UInt64 = 1
        var complaints: Set<String> = []
    }

    /// The protocol's version spoken here, and the oldest of the kernel's.
    private static let version: (major: UInt32, minor: UInt32) = (7, 31)
    private static let oldestMinor: UInt32 = 23
    /// Bytes of an answer to a read, and of a list of names, at most.
    private static let largestRead = 1 << 20
    private static let mostComplaints = 1000

    /// - Parameter complain: told, from several threads, of what could not be read.
    package init(
        _ shape: SnapshotMenu.Shape, _ readers: Readers, limits: MountLimits,
        complain: @escaping @Sendable (String) -> Void
    ) {
        tree = SnapshotTree(shape, limits, readers)
        self.complain = complain
    }

    /// The answer to a request as it came over the channel, its head and what follows; nil for what is no request, or
    /// waits for no answer.
    package func answer(_ bytes: ArraySlice<UInt8>) -> (head: [UInt8], body: ArraySlice<UInt8>)? {
        FuseRequest(bytes).flatMap { answer($0).encoded(for: $0.unique) }
    }

    private func answer(_ request: FuseRequest) -> FuseAnswer {
        guard let operation = FuseOperation(rawValue: request.operation) else { return .error(ENOSYS) }
        switch operation {
        case .initialize: return initialize(request)
        case .forget:
            tree.nodes.forget(request.node, times: request.number64(at: 0))
            return .silence
        case .batchForget:
            forgetMany(request)
            return .silence
        case .interrupt: return .silence
        case .destroy: return .success
        // Answered by the kernel itself from now on.
        case .access, .flush, .openDirectory: return .error(ENOSYS)
        case .releaseDirectory: return .success
        case .statistics: return statistics()
        case .release: return release(request)
        case .read, .seek: return readOrSeek(request, operation)
        case .lookup, .attributes, .readLink, .open, .extendedAttribute, .extendedAttributes, .readDirectory,
            .readDirectoryPlus:
            guard let node = tree.nodes.find(request.node) else { return .error(ESTALE) }
            return guarded(node) { () throws(Failure) in try answer(request, operation, node) }
        }
    }

    private func answer(
        _ request: FuseRequest, _ operation: FuseOperation, _ node: Node
    ) throws(Failure) -> FuseAnswer {
        var fields = FuseFields()
        switch operation {
        case .lookup:
            guard let (found, facts) = try tree.lookUp(request.name(at: 0), in: node) else { return .error(ENOENT) }
            fields.entryAnswer(found.number, facts)
        case .attributes: fields.attributesAnswer(try tree.facts(of: node))
        case .readLink:
            guard let entry = try tree.entry(of: node), entry.kind == .symbolicLink else { return .error(EINVAL) }
            guard !entry.target.contains(0), entry.target.count < 4096 else { return .error(EIO) }
            return .bytes(entry.target)
        case .open: return try open(node)
        case .extendedAttribute: return try extendedAttribute(request, node)
        case .extendedAttributes: return try extendedAttributes(request, node)
        case .readDirectory: return try list(request, node, isPlus: false)
        case .readDirectoryPlus: return try list(request, node, isPlus: true)
        default: return .error(ENOSYS)
        }
        return .fields(fields)
    }

    // MARK: - The beginning

    private func initialize(_ request: FuseRequest) -> FuseAnswer {
        let (major, minor) = (request.number32(at: 0), request.number32(at: 4))
        guard major == Self.version.major, minor >= Self.oldestMinor else { return .error(EPROTO) }
        // Reads of one file at once, names and attributes together, long reads, targets of links kept, lookups of one
        // directory at once (FUSE_ASYNC_READ, DO_READDIRPLUS, READDIRPLUS_AUTO, MAX_PAGES, CACHE_SYMLINKS,
        // PARALLEL_DIROPS).
        let wanted: UInt32 = 1 << 0 | 1 << 13 | 1 << 14 | 1 << 22 | 1 << 23 | 1 << 18
        var fields = FuseFields()
        fields.number32(Self.version.major)
        fields.number32(Self.version.minor)
        fields.number32(request.number32(at: 8))
        fields.number32(request.number32(at: 12) & wanted)
        // Requests underway: background ones, and where the kernel holds back.
        fields.number16(16)
        fields.number16(12)
        // Longest write, of which there are none; times to the nanosecond; pages of a read.
        fields.number32(4096)
        fields.number32(1)
        fields.number16(UInt16(Self.largestRead / 4096))
        fields.zeros(34)
        return .fields(fields)
    }

    private func forgetMany(_ request: FuseRequest) {
        for number in 0..<min(Int(request.number32(at: 0)), 1 << 16) {
            tree.nodes.forget(request.number64(at: 8 + 16 * number), times: request.number64(at: 16 + 16 * number))
        }
    }

    private func statistics() -> FuseAnswer {
        var fields = FuseFields()
        fields.zeros(40)
        fields.number32(65536)
        fields.number32(255)
        fields.number32(512)
        fields.zeros(28)
        return .fields(fields)
    }

    // MARK: - Files

    private func open(_ node: Node) throws(Failure) -> FuseAnswer {
        let file: OpenFile
        do throws(Failure) {
            file = try tree.open(node)
        } catch {
            if error.code == .refused { return .error(EINVAL) }
            throw error
        }
        let handle = state.access { state in
            let handle = state.next
            state.next += 1
            state.open[handle] = file
            return handle
        }
        tree.nodes.noteOpened(node.number, by: 1)
        var fields = FuseFields()
        fields.number64(handle)
        // What the kernel has read of the file before is still so (FOPEN_KEEP_CACHE).
        fields.number32(1 << 1)
        fields.number32(0)
        return .fields(fields)
    }

    private func release(_ request: FuseRequest) -> FuseAnswer {
        let handle = request.number64(at: 0)
        if state.access({ $0.open.removeValue(forKey: handle) }) != nil {
            tree.nodes.noteOpened(request.node, by: -1)
        }
        return .success
    }

    private func readOrSeek(_ request: FuseRequest, _ operation: FuseOperation) -> FuseAnswer {
        let handle = request.number64(at: 0)
        let offset = request.number64(at: 8)
        guard let file = state.access({ $0.open[handle] }), let node = tree.nodes.find(request.node) else {
            return .error(EBADF)
        }
        guard operation == .seek else {
            let count = min(Int(request.number32(at: 16)), Self.largestRead)
            return guarded(node) { () throws(Failure) in .bytes(try file.read(at: offset, count: count)) }
        }
        let whence = request.number32(at: 16)
        guard whence == 3 || whence == 4 else { return .error(EINVAL) }
        return guarded(node) { () throws(Failure) in
            guard let found = try file.seek(hole: whence == 4, from: offset) else { return .error(ENXIO) }
            var fields = FuseFields()
            fields.number64(found)
            return .fields(fields)
        }
    }

    // MARK: - Extended attributes

    private func extendedAttribute(_ request: FuseRequest, _ node: Node) throws(Failure) -> FuseAnswer {
        let name = request.name(at: 8)
        guard let found = try tree.entry(of: node)?.extendedAttributes.first(where: { $0.name == name }) else {
            return .error(ENODATA)
        }
        return sized(found.value, request.number32(at: 0))
    }

    private func extendedAttributes(_ request: FuseRequest, _ node: Node) throws(Failure) -> FuseAnswer {
        let names = (try tree.entry(of: node)?.extendedAttributes ?? []).map(\.name)
        var list: [UInt8] = []
        for name in names where !name.isEmpty && !name.contains(0) { list += name + [0] }
        return sized(list, request.number32(at: 0))
    }

    /// The bytes, or how many they are when there is no room given; Linux has none longer than 64 KiB.
    private func sized(_ bytes: [UInt8], _ room: UInt32) -> FuseAnswer {
        guard bytes.count <= 1 << 16 else { return .error(E2BIG) }
        if room == 0 {
            var fields = FuseFields()
            fields.number32(UInt32(bytes.count))
            fields.number32(0)
            return .fields(fields)
        }
        return bytes.count <= Int(room) ? .bytes(bytes) : .error(ERANGE)
    }

    // MARK: - Directories

    /// Entries from a place on: 0 and 1 are the directory itself and the one above it, and from 2 on a place is where
    /// an entry begins, so that going on costs no more than the entries given.
    private func list(_ request: FuseRequest, _ node: Node, isPlus: Bool) throws(Failure) -> FuseAnswer {
        var list = DirectoryList(room: min(Int(request.number32(at: 16)), Self.largestRead), isPlus: isPlus)
        var place = request.number64(at: 8)
        for (number, name) in [[UInt8(ascii: ".")], [UInt8(ascii: "."), UInt8(ascii: ".")]].enumerated()
        where place == UInt64(number) {
            guard list.addSelf(name, inode: number == 0 ? node.inode : node.parent?.inode ?? Inode.root) else { break }
            place += 1
        }
        guard place >= 2 else { return .fields(list.fields) }
        if case .menu(let items, _) = node.kind {
            for (number, item) in items.enumerated().dropFirst(Int(min(place - 2, UInt64(items.count)))) {
                let facts = try tree.facts(of: item.node)
                guard list.add(item.name, facts, next: UInt64(number) + 3, hold: { (item.node.number, facts) }) else {
                    break
                }
            }
            return .fields(list.fields)
        }
        guard let (view, content) = node.directory else { return .error(ENOTDIR) }
        guard place - 2 < content.length else { return .fields(list.fields) }
        var cursor = DirectoryCursor(try view.reader(), content, at: place - 2)
        do throws(Failure) {
            while let (entry, offset) = try cursor.next() {
                let facts = FileFacts(entry, inode: Inode.number(in: node.inode, at: offset))
                let isAdded = list.add(entry.name, facts, next: cursor.position + 2) {
                    let held = tree.hold(entry, in: node, at: offset, view)
                    return (held.node.number, held.facts)
                }
                guard isAdded else { break }
            }
        } catch {
            // What was read is given; the next request meets the damage.
            guard !list.fields.bytes.isEmpty else { throw error }
        }
        return .fields(list.fields)
    }

    // MARK: - What goes wrong

    /// What cannot be had is an error to the program, and a line for the person, once for each file.
    private func guarded(_ node: Node, _ body: () throws(Failure) -> FuseAnswer) -> FuseAnswer {
        do throws(Failure) {
            return try body()
        } catch {
            let line = "\(tree.path(of: node)) cannot be read: \(error.what)"
            let isNew = state.access { state in
                state.complaints.count < Self.mostComplaints && state.complaints.insert(line).inserted
            }
            if isNew { complain(line) }
            return .error(EIO)
        }
    }
}
