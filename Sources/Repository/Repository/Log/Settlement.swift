internal import ObjectStore
package import Platform
internal import Sealing

/// Deciding records that nobody can judge any more, since what they are judged by is lost in every vault.
///
/// 1. A record whose sets are lost is taken as it reads: whoever appended it could read them, and appends nothing that has
/// no effect. A commit that lists its objects in a page which is lost is given up: what the log does not know is not kept.
/// 2. The state that comes of it is put as a checkpoint, and the site appends the record that names it, though the log is
/// undecided. 3. Whoever opens the log begins there; whoever reads on and had judged otherwise, since it could still read
/// what is lost now, sees by the checkpoint's digest that its state is another, and goes on from the checkpoint too.
package struct Settlement: Sendable {
    /// A record that is decided, or has no effect by what is decided of others.
    package struct Decision: Sendable, Equatable {
        package enum Outcome: Sendable, Equatable {
            case asItReads
            case givenUp
            /// It was appended after one that is decided, and has no effect: why.
            case void(String)
        }
        package var number: UInt64
        /// What kind of record it is.
        package var title: String
        package var outcome: Outcome
        /// The snapshot that it commits.
        package var snapshot: Digest?
    }

    /// In the order of the log.
    package let decisions: [Decision]
    /// Snapshots that are seen now, and will not be.
    package let lost: [Digest]
    /// The state of which the checkpoint is made.
    let state: LogState

    static func whenUndecided(at location: String) -> String {
        "Restores work. `breakwater repository repair` takes what is lost from another vault with --from, or makes it anew "
            + "with the passphrase. Where neither can, `breakwater repository settle --vault \(location) --passphrase-file F` "
            + "decides without it."
    }
}

extension LogState.Undecided.Cause {
    /// For messages.
    package var why: String {
        switch self {
        case .set: "a set by which it is judged cannot be read"
        case .listing: "a page that lists its objects cannot be read"
        case .otherState: "the checkpoint that it names holds another state and cannot be read"
        }
    }
}

extension Log {
    /// What would become of the records that cannot be judged; nil when all can.
    /// - Throws: `.partial` when a record interrupts the log; `.damaged` when one is to be put back first, or what is lost is
    ///   the list of one that nobody but the site appends, since a deletion is not decided blindly, or a list that was
    ///   collected since a checkpoint held what came of it, which is lost now; errors of the store.
    package func planSettlement() throws(Failure) -> Settlement? {
        if try !refresh().undecided.isEmpty { try settleByCheckpoint() }
        let held = monitor.access { $0 }
        let undecided = held.state.undecided
        guard !undecided.isEmpty else { return nil }
        if let shortfall { throw shortfall }
        if let number = held.borrowed.keys.min() { throw mustBePutBack(number) }
        var decisions: [Settlement.Decision] = []
        for item in undecided {
            decisions.append(try decision(item.number, item.cause == .listing ? .givenUp : .asItReads, held.state))
        }
        let givenUp = Set(decisions.filter { $0.outcome == .givenUp }.map(\.number))
        if let list = decisions.first(where: { $0.outcome == .givenUp && $0.snapshot == nil }) {
            throw Failure(
                .damaged,
                "record \(list.number) of the log in \(store.location), a \(list.title), lists its objects in a page that is lost",
                advice: "Nothing was changed. Everything can be restored, and copied to a new vault.")
        }
        if let mark = held.state.checkpoint, let early = givenUp.min(), early <= mark.state {
            throw Failure(
                .damaged,
                "what came of record \(early) of the log in \(store.location) stands in \(mark.object.path), "
                    + "which cannot be read",
                advice: "Nothing was changed. `breakwater repository repair --from` takes it from a copy of this vault."
                    + " Everything that is seen can be restored, and copied to a new vault.")
        }
        let settled = givenUp.isEmpty ? held : try read(leavingOut: givenUp)
        guard settled.state.headHash == held.state.headHash else {
            throw Failure(.refused, "the log in \(store.location) went on meanwhile", advice: "Try again.")
        }
        for finding in settled.findings where finding.number > undecided[0].number && !givenUp.contains(finding.number)
        {
            guard case .void(let reason) = finding.kind else { continue }
            decisions.append(try decision(finding.number, .void(reason), held.state))
        }
        var state = settled.state
        state.settle()
        let left = Set(state.recoveryPoints.map(\.manifest.name.digest))
        return Settlement(
            decisions: decisions.sorted { $0.number < $1.number },
            lost: held.state.recoveryPoints.map(\.manifest.name.digest).filter { !left.contains($0) }, state: state)
    }

    private func decision(
        _ number: UInt64, _ outcome: Settlement.Decision.Outcome, _ state: LogState
    ) throws(Failure) -> Settlement.Decision {
        guard let body = try record(number, state)?.body else { throw mustBePutBack(number) }
        var decision = Settlement.Decision(number: number, title: body.title, outcome: outcome)
        if case .commit(let commit) = body { decision.snapshot = commit.manifest.name.digest }
        return decision
    }

    private func mustBePutBack(_ number: UInt64) -> Failure {
        Failure(
            .damaged, "record \(number) of the log in \(store.location) is lost or damaged here",
            advice: "First put it back: `breakwater repository repair --from`. Nothing was changed.")
    }

    /// The log as it would be had some records no effect.
    private func read(leavingOut numbers: Set<UInt64>) throws(Failure) -> Contents {
        var contents = try genesisAnew()
        contents.givenUp = numbers
        if let further = startAtCheckpoint(contents) { return further }
        try readForward(&contents)
        return contents
    }
}

extension Repository {
    /// Decides, as the vault's site, what `plan` says.
    /// - Throws: `.refused` without the site key, or when the log went on since the plan.
    package func settle(_ plan: Settlement) throws {
        guard keys.site != nil else { throw siteKeyMissing }
        let reference = try Self.put(
            try plan.state.checkpointBytes(), as: .checkpoint, session: .random(surroundings), store)
        try appendAsSite(settles: true) { newest in
            guard newest.headHash == plan.state.headHash else {
                throw Failure(
                    .refused, "the log in \(store.location) went on meanwhile",
                    advice: "Nothing was decided. Try again.")
            }
            return .checkpoint(reference.name, state: plan.state.head)
        }
    }
}
