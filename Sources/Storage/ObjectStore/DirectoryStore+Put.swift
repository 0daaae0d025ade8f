import Glibc
package import Platform
import Synchronization

extension DirectoryStore {
    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try requireWriting(key)
        try keepReserve(key, adding: UInt64(bytes.byteCount), use: use)
        let (path, name) = Self.split(key)
        guard name.count <= 255 else { throw Failure(.usage, "the last part of \(key) is longer than 255 bytes") }
        // 1. The directories.
        let parent = try makeParent(path)
        switch try parent.status(of: name)?.kind {
        case nil: break
        case .directory: try removeDirectory(name, in: parent, key)
        default: throw try taken(key, parent)
        }
        try publish(key, bytes, in: parent, "putting") { temporaries, temporary throws(Failure) in
            guard try temporaries.move(temporary, to: parent, as: name) else { throw try taken(key, parent) }
        }
    }

    /// The same steps, with a call in the third that puts the file in place of the one that has the name.
    package func replace(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try requireWriting(key)
        try keepReserve(key, adding: UInt64(bytes.byteCount), use: use)
        let (path, name) = Self.split(key)
        let parent = try makeParent(path)
        if try parent.status(of: name)?.kind == .directory { try removeDirectory(name, in: parent, key) }
        try publish(key, bytes, in: parent, "replacing") { temporaries, temporary throws(Failure) in
            try parent.replace(name, with: temporary, of: temporaries)
        }
    }

    /// - Parameter give: gives the temporary file its name.
    private func publish(
        _ key: StoreKey, _ bytes: borrowing RawSpan, in parent: borrowing Directory, _ doing: String,
        _ give: (_ temporaries: borrowing Directory, _ temporary: [UInt8]) throws(Failure) -> Void
    ) throws(Failure) {
        // 2. The bytes, under a name of their own.
        let temporaries = try root.directory(Array(Self.temporaries.utf8))
        let temporary = Array(temporaryName().utf8)
        do throws(Failure) {
            try write(bytes, to: temporary, in: temporaries, key)
            // 3. The name.
            try faults?.reach(.publish)
            try give(temporaries, temporary)
        } catch {
            // Best effort: what stays behind is swept later, and the error that matters is the first.
            discard(temporary, in: temporaries)
            throw error
        }
        // 4. The name made durable.
        do throws(Failure) {
            try faults?.reach(.synchronizeDirectory)
            try parent.synchronize()
        } catch {
            throw unknown("\(doing) \(key)", error)
        }
    }

    /// `.data` stops at the reserve, so that the log can still be appended and the vault emptied.
    private func keepReserve(_ key: StoreKey, adding count: UInt64, use: StoreUse) throws(Failure) {
        guard use == .data, let space = try space() else { return }
        let (needed, overflow) = reserve.addingReportingOverflow(count)
        guard overflow || space.free < needed else { return }
        throw Failure(
            .full,
            "\(location) has \(space.free) bytes free; putting \(key) (\(count) bytes) would eat into the reserve of "
                + "\(reserve) bytes that is kept so that the vault can still be emptied",
            advice: "What is stored is safe. Free space on that disk or enlarge it, then run again")
    }

    /// A directory is no object, and keeps one from being put under its name. An empty one is taken away: nothing is lost by
    /// that, and one that is filled meanwhile stays.
    /// - Throws: `.damaged` when something is in it.
    private func removeDirectory(
        _ name: [UInt8], in parent: borrowing Directory, _ key: StoreKey
    ) throws(Failure) {
        try faults?.reach(.delete)
        do throws(Failure) {
            _ = try parent.remove(name, directory: true)
        } catch {
            switch error.code {
            // Another has taken it away and put the object.
            case .notFound: return
            case .exists, .failed:
                throw Failure(
                    .damaged,
                    "a directory with something in it lies in \(location) where \(key) belongs: move it away by hand",
                    advice: "It was left as it is", cause: error)
            default: throw error
            }
        }
    }

    /// Found taken. The name is made durable before that is reported: whoever reads the object goes on from it,
    /// and its own writer may have died between giving the name and making it durable.
    private func taken(_ key: StoreKey, _ parent: borrowing Directory) throws(Failure) -> Failure {
        try faults?.reach(.synchronizeDirectory)
        try parent.synchronize()
        return Failure(.exists, "\(key) is already in \(location)")
    }

    // MARK: - Directories

    /// The open directory at `path`, its components made where they lack and durable in any case.
    private func makeParent(_ path: [UInt8]) throws(Failure) -> Directory {
        if path.isEmpty { return try root.directory([UInt8(ascii: ".")]) }
        let text = String(decoding: path, as: UTF8.self)
        if durable.withLock({ $0.contains(text) }) {
            do throws(Failure) {
                return try root.directory(path)
            } catch {
                // Somebody removed it by hand: forget what was known and make it again.
                guard error.code == .notFound else { throw error }
                durable.withLock { $0 = [""] }
            }
        }
        var at = try root.directory([UInt8(ascii: ".")])
        var reached = ""
        for component in path.split(separator: UInt8(ascii: "/")) {
            let name = Array(component)
            reached += (reached.isEmpty ? "" : "/") + String(decoding: name, as: UTF8.self)
            if !durable.withLock({ $0.contains(reached) }) {
                try faults?.reach(.makeDirectory)
                _ = try at.makeDirectory(name, mode: 0o700)
                // Also when it stood: whoever made it may have died before it was durable.
                try faults?.reach(.synchronizeDirectory)
                try at.synchronize()
            }
            at = try at.directory(name)
            let now = reached
            durable.withLock { known in
                if known.count > 100_000 { known = [""] }
                known.insert(now)
            }
        }
        return at
    }

    // MARK: - The temporary file

    private func write(
        _ bytes: borrowing RawSpan, to temporary: [UInt8], in temporaries: borrowing Directory, _ key: StoreKey
    ) throws(Failure) {
        try faults?.reach(.createTemporary)
        let file = try temporaries.openBeneath(temporary, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o400)
        defer { close(file) }
        let faults = faults
        try unsafe bytes.withUnsafeBytes { buffer throws(Failure) in
            // With a fault point the bytes go in two pieces, so that a crash can leave half of them.
            let piece = faults == nil ? buffer.count : max(1, buffer.count / 2)
            var done = 0
            while done < buffer.count {
                try faults?.reach(.write)
                let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[done..<min(done + piece, buffer.count)])
                let count = unsafe Glibc.write(file, part.baseAddress, part.count)
                if count > 0 {
                    done += count
                } else if count == 0 || errno != EINTR {
                    throw Failure.system(count == 0 ? ENOSPC : errno, "cannot write \(key) to \(location)")
                }
            }
        }
        try faults?.reach(.synchronizeFile)
        while fsync(file) != 0 {
            if errno != EINTR { throw Failure.system(errno, "cannot make \(key) in \(location) durable") }
        }
    }

    private func discard(_ temporary: [UInt8], in temporaries: borrowing Directory) {
        if let faults, (try? faults.reach(.removeTemporary)) == nil { return }
        _ = try? temporaries.remove(temporary)
    }

    // MARK: - Sweeping

    /// host-pid-number-random: unique, and tells a later opening whether its owner can still be alive.
    private func temporaryName() -> String {
        let number = Self.sequence.wrappingAdd(1, ordering: .relaxed).newValue
        return "\(Self.host)-\(getpid())-\(number)-\(Hex.encode(surroundings.random(8)))"
    }

    /// Stands for this boot of this machine and this space of process ids: only there does a pid mean anything.
    private static let host: String = {
        let boot = (try? readSmall("/proc/sys/kernel/random/boot_id")) ?? []
        var raw = stat()
        let space = unsafe stat("/proc/self/ns/pid", &raw) == 0 ? UInt64(raw.st_ino) : 0
        return Hex.encode(boot.prefix { $0 != UInt8(ascii: "-") }) + String(space, radix: 16)
    }()

    private static func readSmall(_ path: String) throws(Failure) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if file < 0 { throw Failure.system(errno, "cannot open \(path)") }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(file, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }

    /// Removes temporaries whose process is dead, and those older than a day, whoever made them. A put that loses
    /// its temporary to this (it slept for a day) fails and can be tried again.
    func sweep() throws(Failure) {
        let temporaries = try root.directory(Array(Self.temporaries.utf8))
        let now = surroundings.now()
        for entry in try temporaries.entries() {
            guard let status = try temporaries.status(of: entry.name), status.kind != .directory else { continue }
            let day: Int64 = 86_400
            let age = now.nanoseconds / 1_000_000_000 - status.modifiedSeconds
            guard age > day || Self.ownerIsDead(String(decoding: entry.name, as: UTF8.self)) else { continue }
            try faults?.reach(.removeTemporary)
            _ = try temporaries.remove(entry.name)
        }
    }

    private static func ownerIsDead(_ name: String) -> Bool {
        let parts = name.split(separator: "-")
        guard parts.count == 4, parts[0] == host, let process = pid_t(parts[1]), process > 0 else { return false }
        return kill(process, 0) != 0 && errno == ESRCH
    }
}
