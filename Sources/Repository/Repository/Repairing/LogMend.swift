internal import ObjectStore
internal import Platform
internal import Sealing

/// Puts records of the log back, each by the one content that its number can have.
///
/// 1. A record with a damaged half is replaced by its other half, twice. 2. One that is damaged in both, or gone, comes
/// from the mirror in another vault, or from a copy of this vault, and its hash must be the one the log knows. That goes
/// for a lost end, too: a log that is opened with other vaults reads it from them. It is put if nothing is there, so that
/// whoever appends meanwhile and is quicker wins, as between any two appenders.
///
/// A log that went on after it lost its end stays as it is: what another vault mirrored of the other branch is named.
///
/// Nothing here decides anything: a record that was authentic and next when it was mirrored is a record of this log. So it
/// needs no key, and no memory of heads: a log that went back is lent its end before it is compared with what was seen.
struct LogMend {
    let repository: Repository
    let isDryRun: Bool

    func run(_ report: inout RepairReport) throws {
        let found = try Checker.checkLog(repository)
        report.forks = found.forks
        for finding in found.findings {
            guard finding.damage != .forked else {
                report.add(finding, .left(finding.meaning))
                continue
            }
            guard let key = StoreKey(finding.object), let number = Record.number(of: key) else { continue }
            do throws(Failure) {
                report.add(finding, try mend(number, key, finding, &report))
            } catch {
                guard error.isOfOneObject else { throw error }
                report.add(finding, .left(error.what))
            }
        }
    }

    private func mend(
        _ number: UInt64, _ key: StoreKey, _ finding: CheckReport.Finding, _ report: inout RepairReport
    ) throws(Failure) -> RepairReport.Item.Outcome {
        guard let expected = repository.log.hash(of: number),
            repository.log.interruption.map({ number < $0.number }) ?? true
        else { return .left(repository.log.interruption.map(repository.log.whatToDo) ?? "what it was is not known") }
        let own = finding.damage == .missing ? nil : try? repository.store.recordObject(number)
        let source =
            find(expected, own.map { ($0, "its other half") }) ?? borrow(number, expected, &report)
        guard let source else { return .left("no vault at hand has it") }
        if !isDryRun {
            let object = Record.object(source.record)
            try repository.store.mend(key, object, use: .log, isMissing: finding.damage == .missing)
        }
        return .healed("from \(source.from)")
    }

    private func find(_ expected: Digest, _ object: (bytes: [UInt8], from: String)?) -> (record: [UInt8], from: String)?
    {
        guard let object else { return nil }
        return Record.Halves(object.bytes).different.first { Record.hash(ofRecord: $0) == expected }
            .map { ($0, object.from) }
    }

    private func borrow(
        _ number: UInt64, _ expected: Digest, _ report: inout RepairReport
    ) -> (record: [UInt8], from: String)? {
        for (object, location) in candidates(number) {
            guard let found = find(expected, (object, location)) else { continue }
            report.bytesFetched += UInt64(object.count)
            return found
        }
        return nil
    }

    /// What other vaults hold at a number of this log.
    private func candidates(_ number: UInt64) -> [(object: [UInt8], from: String)] {
        repository.alternates.map(\.store).flatMap { store in
            ["origins/\(repository.vault)/log", "log"].compactMap { folder in
                (try? store.recordObject(number, folder: folder)).map { ($0, store.location) }
            }
        }
    }
}
