import Capture
import Glibc
import ObjectStore
import Platform
import Repository
import Sealing

/// What every command works with: where to print, the time, and how it is told to stop.
struct Workbench: Sendable {
    let console: Console
    let surroundings = Surroundings.system
    let interruption: Interruption

    /// Memory, and where local indexes and temporary files lie.
    let resources: Resources

    /// - Parameter goesOnUnread: see `Console`.
    init(
        _ output: OutputOptions, _ interruption: Interruption, memory: MemoryBudget? = nil, goesOnUnread: Bool = false
    ) {
        let console = Console(output, Surroundings.system, goesOnUnread: goesOnUnread)
        self.console = console
        resources = Resources(
            memory: memory ?? .standard, indexes: (try? ClientState.directory()).map { $0 + "/index" },
            scratch: ClientState.variable("TMPDIR") ?? "/var/tmp"
        ) { console.warn("\($0)") }
        self.interruption = interruption
    }

    /// Threads for work that keeps a processor busy.
    var processors: Int { max(1, min(16, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    func progress(_ verb: String) -> Progress { Progress(verb, console, surroundings, interruption) }

    // MARK: - Vaults

    /// The vault in a directory or in a bucket. Its location, by which the last head seen is remembered, is the absolute
    /// path, or the address with the server.
    func store(at path: String, _ access: StoreAccess) throws(Failure) -> any ObjectStore {
        try RawArguments.requireVault(path)
        if Self.isInBucket(path) { return try bucket(at: path, access) }
        guard let resolved = unsafe realpath(path, nil) else {
            let failure = Failure.system(errno, "cannot open the vault \(path)")
            guard failure.code == .notFound else { throw failure }
            throw Failure(
                .notFound, "there is no vault at \(path)",
                advice: "Check the path, or make one with `breakwater repository init`.")
        }
        defer { unsafe free(resolved) }
        return try unsafe DirectoryStore(at: String(cString: resolved), access: access, surroundings: surroundings)
    }

    /// Opens a vault that an option names besides the one at hand. Where none is there its path is wrong: it was to be one that
    /// holds something, and making one would not help.
    /// - Parameter option: `--also`, say; nil for the vault at hand.
    func besides<Result>(_ option: String?, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        do throws(Failure) {
            return try body()
        } catch {
            guard let option, error.code == .notFound else { throw error }
            throw Failure(.notFound, error.what, advice: "Check the path of \(option).", cause: error.cause)
        }
    }

    /// The last heads seen. Where none can be kept, work goes on and says what it cannot notice.
    func heads() -> any HeadMemory {
        do throws(Failure) {
            return LenientHeads(
                kept: try DirectoryHeadMemory(at: try ClientState.directory() + "/heads"), console: console)
        } catch {
            console.warn(
                "the state directory cannot be used (\(error.what)): a vault that was rolled back will not be noticed")
            return NoHeadMemory()
        }
    }

    /// What the last backup of this name read, so that what has not changed since is not read again; nil where
    /// nothing can be kept.
    /// - Parameter forgetting: begin with an empty one.
    func memory(of name: String, in repository: Repository, forgetting: Bool) -> FileMemory? {
        guard let secret = repository.keys.secret, let state = try? ClientState.directory(),
            let current = try? AbsolutePath.current()
        else { return nil }
        let place = "\(state)/files/\(repository.id)/\(secret.desktop(named: name))"
        return FileMemory(
            at: AbsolutePath(place, from: current), secret: secret, repository: repository.id,
            surroundings: surroundings, isEmpty: forgetting)
    }

    /// What the last backup of this disk stored, for openers who cannot read it; nil for others, and where nothing can be
    /// kept.
    func memory(ofDisk label: String, of name: String, in repository: Repository) -> DiskMemory? {
        guard repository.keys.readers.isEmpty, let secret = repository.keys.secret,
            let state = try? ClientState.directory(), let current = try? AbsolutePath.current()
        else { return nil }
        let disk = SHA256.hash(Array(label.utf8)).hex.prefix(16)
        let place = "\(state)/disks/\(repository.id)/\(secret.desktop(named: name))-\(disk)"
        return DiskMemory(
            at: AbsolutePath(place, from: current), secret: secret, repository: repository.id,
            surroundings: surroundings)
    }

    /// Opens a repository, and those in other vaults from which what is damaged is taken.
    func open(
        _ vault: String, _ access: StoreAccess, passphrase: SlotKey, also others: [String] = [],
        base: Repository? = nil, heads chosen: (any HeadMemory)? = nil
    ) throws(Failure) -> Repository {
        let heads = chosen ?? heads()
        let store = try store(at: vault, access)
        var alternates: [Repository] = []
        var late: [any ObjectStore] = []
        for path in others {
            let other = try besides("--also") { () throws(Failure) in try self.store(at: path, .reading) }
            do throws(Failure) {
                alternates.append(
                    try besides("--also") { () throws(Failure) in
                        try Repository.open(
                            other, .slot(passphrase), heads: heads, surroundings: surroundings, resources: resources)
                    })
            } catch  where error.code == .damaged || error.code == .refused { late.append(other) }
        }
        var repository = try Repository.open(
            store, .slot(passphrase), heads: heads, surroundings: surroundings, resources: resources, also: alternates,
            base: base)
        guard !late.isEmpty else { return warned(repository) }
        // Vaults whose own key slots are damaged serve all the same, by the keys that were found, and so do those whose
        // log is mirrored here.
        for other in late {
            do throws(Failure) {
                alternates.append(
                    try Repository.open(
                        other, .granted(repository.keys), expecting: repository.id, heads: heads,
                        surroundings: surroundings, resources: resources, mirrors: [store]))
            } catch { console.warn("\(other.location) is of no help: \(error.what)") }
        }
        repository = try Repository.open(
            store, .slot(passphrase), heads: heads, surroundings: surroundings, resources: resources, also: alternates,
            base: base)
        return warned(repository)
    }

    /// An older state of a vault at a place where a newer one was never seen may be an honest copy: it is served, and said.
    private func warned(_ repository: Repository) -> Repository {
        if let number = repository.log.newerElsewhere {
            console.warn(
                "the log in \(repository.store.location) ends at record \(repository.log.state.head); record \(number) of the "
                    + "same vault was seen at another place. This is an older copy of the vault, or its log lost its end: "
                    + "snapshots may be missing here")
        }
        return repository
    }

    /// What opens the vault's key slots. Of a repository that was destroyed, which no passphrase opens, none is asked for.
    func key(_ passphrase: PassphraseOptions, of vault: String) throws(Failure) -> SlotKey {
        do throws(Failure) {
            return try passphrase.read(console)
        } catch {
            // Whatever keeps the vault from being looked at, a passphrase is asked for first.
            guard error.code == .usage, !passphrase.isGiven, let keyless = try? openKeyless(vault, .reading),
                keyless.log.state.isDestroyed
            else { throw error }
            throw Repository.destroyed(keyless.id, at: keyless.store.location)
        }
    }

    /// Opens with the passphrase if there is one, otherwise with the vault's site key where a copy of this user made it. What
    /// remains of a repository that was destroyed no passphrase opens, and needs none.
    func openAsSite(
        _ vault: String, _ access: StoreAccess, _ passphrase: PassphraseOptions
    ) throws(Failure) -> Repository {
        guard passphrase.isGiven else { return try openAsKeptSite(vault, access, passphrase) }
        do throws(Failure) {
            return try open(vault, access, passphrase: try passphrase.read(console))
        } catch {
            guard error.code == .refused, let keyless = try? openKeyless(vault, access), keyless.log.state.isDestroyed
            else { throw error }
            return try openAsKeptSite(vault, access, passphrase)
        }
    }

    /// Opens without a passphrase, with the vault's site key where a copy of this user made it.
    func openAsKeptSite(
        _ vault: String, _ access: StoreAccess, _ passphrase: PassphraseOptions
    ) throws(Failure) -> Repository {
        let keyless = try openKeyless(vault, access)
        let site = try ClientSiteKeys(self, passphrase: passphrase).find(for: keyless.id, at: keyless.store.location)
        return try Repository.open(
            keyless.store, .keyless, expecting: keyless.id, site: site, heads: heads(), surroundings: surroundings,
            resources: resources)
    }

    /// What collectors remember of sessions. Where nothing can be kept, claims stay until they are let go by hand.
    func claimWatch() -> any ClaimWatch {
        do throws(Failure) {
            return try DirectoryClaimWatch(at: try ClientState.directory() + "/sessions")
        } catch {
            console.warn(
                "the state directory cannot be used (\(error.what)): sessions that were killed keep their claims")
            return NoClaimWatch()
        }
    }

    /// Where checks by byte budget go on.
    func checkMemory() throws(Failure) -> any CheckMemory {
        try DirectoryCheckMemory(at: try ClientState.directory() + "/checks")
    }

    /// Opens what can be had of a repository without a key.
    func openKeyless(
        _ vault: String, _ access: StoreAccess, also others: [String] = []
    ) throws(Failure) -> Repository {
        let heads = heads()
        let store = try store(at: vault, access)
        let alternates = try openSources(others, named: "--also", for: store, heads)
        return warned(
            try Repository.open(
                store, .keyless, heads: heads, surroundings: surroundings, resources: resources, also: alternates))
    }

    /// Opens vaults to take from what is damaged in `store`, without a key. What the log of one has lost is read from the
    /// mirrors in the others and in `store`. One that does not open all the same, or holds another repository, is of no help,
    /// and is named.
    /// - Parameter option: by which they were named.
    /// - Throws: what is wrong with the first, where all are named wrongly.
    func openSources(
        _ vaults: [String], named option: String, for store: any ObjectStore, _ heads: any HeadMemory
    ) throws(Failure) -> [Repository] {
        var wrong: [(name: String, problem: Failure)] = []
        var damaged = 0
        var stores: [(name: String, store: any ObjectStore)] = []
        for vault in vaults {
            do throws(Failure) {
                let store = try besides(option) { () throws(Failure) in try self.store(at: vault, .reading) }
                stores.append((vault, store))
            } catch {
                guard [.notFound, .refused].contains(error.code) else { throw error }
                wrong.append((vault, error))
            }
        }
        let meant = Repository.named(in: store)
        var opened: [Repository] = []
        for (name, other) in stores {
            do throws(Failure) {
                let source = try besides(option) { () throws(Failure) in
                    try Repository.open(
                        other, .keyless, expecting: meant, heads: heads, surroundings: surroundings,
                        resources: resources,
                        mirrors: [store] + stores.map(\.store).filter { $0.location != other.location })
                }
                opened.append(warned(source))
            } catch {
                switch error.code {
                case .damaged:
                    damaged += 1
                    console.warn("\(other.location) is of no help: \(error.what)")
                case .notFound, .refused: wrong.append((name, error))
                default: throw error
                }
            }
        }
        if opened.isEmpty, damaged == 0, let first = wrong.first { throw first.problem }
        for (name, problem) in wrong { console.warn("\(name) is of no help: \(problem.what)") }
        return opened
    }
}

/// Where this program keeps what it must remember between runs: nothing that a vault could not be read without.
enum ClientState {
    /// `$BREAKWATER_STATE`, or `breakwater` in the user's directory for state (XDG Base Directory Specification).
    static func directory() throws(Failure) -> String {
        if let chosen = variable("BREAKWATER_STATE") { return chosen }
        if let base = variable("XDG_STATE_HOME"), base.hasPrefix("/") { return base + "/breakwater" }
        guard let home = variable("HOME") else {
            throw Failure(
                .notFound, "neither BREAKWATER_STATE nor HOME says where state is kept",
                advice: "Set BREAKWATER_STATE to a directory of yours.")
        }
        return home + "/.local/state/breakwater"
    }

    static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name), unsafe value.pointee != 0 else { return nil }
        return unsafe String(cString: value)
    }
}
