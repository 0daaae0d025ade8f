internal import ArgumentParser
import ObjectStore
import Platform
import Repository

/// The owner's word that a log which went back is to be taken as it is now.
struct AcceptHeadCommand: EngineCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept-head", abstract: "Accept a vault whose log went back behind what was seen of it.",
        discussion: """
            What was committed since is gone from this vault. Do this after a vault was put back from an older copy, \
            and not to make a warning go away. With --also, the head is accepted too where that vault has mirrored records \
            that are not in this log: first bring back what is wanted of them.
            """)

    @OptionGroup var vault: VaultOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var output: OutputOptions

    @Option(name: .long, help: ArgumentHelp("Another vault, which may have mirrored another log.", valueName: "vault"))
    var also: [String] = []

    @Flag(name: .long, help: "Do not ask.")
    var yes = false

    static let whenInterrupted: String? = "`breakwater repository snapshots` shows whether the head was accepted."

    func perform(_ bench: Workbench) throws -> Int32 {
        let console = bench.console
        let secret = try passphrase.read(console)
        // To be looked at, though it went back.
        let repository = try bench.open(
            vault.path, .writing, passphrase: secret, also: also, heads: NoHeadMemory())
        let head = LogHead(of: repository.log.state)
        let location = repository.store.location
        let last = try bench.heads().lastSeen(repository.vault, at: location)
        let seen = try last.flatMap { try repository.log.goesOn(from: $0) ? nil : $0 }
        let forks = try repository.forks().filter { !$0.isAccepted }
        guard seen != nil || !forks.isEmpty else {
            try console.say("The log in \(location) goes on from what was last seen of it: there is nothing to accept.")
            try console.tell([("event", "result"), ("accepted", false), ("head", .number(head.number))])
            return 0
        }
        let snapshots = repository.log.state.snapshots.values.count { !$0.isForgotten }
        if let seen { try console.say("last seen: record \(seen.number), \(seen.hash.hex.prefix(16))") }
        for fork in forks {
            try console.say(fork.meaning)
            try console.tell(fork)
        }
        try console.say(
            "there now: record \(head.number), \(head.hash.hex.prefix(16)), with "
                + Words.count(UInt64(snapshots), "snapshot", "snapshots"))
        try bench.confirm(
            "Take the log in \(location) as it is now?", isGiven: yes,
            otherwise: "record \(head.number) was not accepted")
        try repository.accept(head)
        // As everybody else opens it: from here on this head is what was last seen.
        _ = try bench.open(vault.path, .reading, passphrase: secret)
        try console.say(
            forks.isEmpty
                ? "Accepted. Snapshots committed after record \(head.number) are not in this vault any more."
                : "Accepted.")
        var members: [(String, JSON)] = [
            ("event", "result"), ("accepted", true), ("head", .number(head.number)), ("hash", .text(head.hash.hex)),
        ]
        if let seen {
            members += [("lastSeen", .number(seen.number)), ("lastSeenHash", .text(seen.hash.hex))]
        }
        try console.tell(members)
        return 0
    }
}
