internal import ObjectStore
internal import Platform
internal import Sealing

/// Where the threads of a check write down what they find and how far they are.
final class CheckLedger: Sendable {
    typealias Finding = CheckReport.Finding

    private struct Contents {
        var findings: [String: Finding] = [:]
        var report = CheckReport()
        var progress: Checker.Progress
    }

    private let monitor: Monitor<Contents>
    private let heard: @Sendable (Checker.Progress) -> Void

    init(_ heard: @escaping @Sendable (Checker.Progress) -> Void) {
        self.heard = heard
        monitor = Monitor(Contents(progress: .init(phase: .log, done: 0, of: 0, bytes: 0)))
    }

    // MARK: - Findings

    /// Notes damage; the first word on an object stands, snapshots are added to it.
    func add(
        _ object: String, _ name: ObjectName?, _ damage: Finding.Damage, _ meaning: String, snapshots: [Digest] = [],
        recovery: Finding.Recovery = .none
    ) {
        monitor.access { contents in
            if let known = contents.findings[object] {
                contents.findings[object]?.snapshots = Set(known.snapshots + snapshots).sorted()
            } else {
                contents.findings[object] = Finding(
                    object: object, name: name, damage: damage, meaning: meaning, snapshots: snapshots.sorted(),
                    recovery: recovery)
            }
        }
    }

    func add(_ name: ObjectName, _ trouble: CheckTrouble) {
        add(name.path, name, trouble.damage, trouble.meaning)
    }

    func has(_ object: String) -> Bool { monitor.access { $0.findings[object] != nil } }

    var damaged: [Finding] { monitor.access { $0.findings.values.sorted { $0.object < $1.object } } }

    func change(_ body: (inout CheckReport) -> Void) { monitor.access { body(&$0.report) } }

    var report: CheckReport {
        monitor.access { contents in
            var report = contents.report
            report.findings = contents.findings.values.sorted { $0.object < $1.object }
            report.unneeded.sort { $0.object < $1.object }
            report.strangers.sort()
            report.uncommitted.sort()
            return report
        }
    }

    func complete(_ finding: Finding) { monitor.access { $0.findings[finding.object] = finding } }

    /// What was noted is no damage: nothing needs the object.
    func setAside(_ finding: Finding) {
        monitor.access { contents in
            guard let noted = contents.findings.removeValue(forKey: finding.object) else { return }
            contents.report.unneeded.append(noted)
        }
    }

    // MARK: - Progress

    /// - Parameter bytes: that all of it has, where it is known.
    func begin(_ phase: Checker.Progress.Phase, of count: UInt64, bytes: UInt64 = 0) {
        let progress = monitor.access { contents in
            contents.progress = .init(phase: phase, done: 0, of: count, bytes: contents.report.bytes)
            if bytes > 0 { contents.progress.bytesInAll = contents.report.bytes + bytes }
            return contents.progress
        }
        heard(progress)
    }

    func read(_ bytes: Int) { monitor.access { $0.report.bytes += UInt64(bytes) } }

    func passed(isObject: Bool = true) {
        let progress = monitor.access { contents in
            if isObject { contents.report.objects += 1 }
            contents.progress.done += 1
            contents.progress.bytes = contents.report.bytes
            return contents.progress
        }
        heard(progress)
    }
}

/// Why one object does not pass.
struct CheckTrouble: Error {
    var damage: CheckReport.Finding.Damage
    var meaning: String

    init(_ damage: CheckReport.Finding.Damage, _ meaning: String) {
        self.damage = damage
        self.meaning = meaning
    }

    /// What a failed look at an object says of it.
    /// - Throws: what says nothing of the object: no answer, a store that serves for none, or being asked to stop.
    static func of(_ failure: Failure) throws(Failure) -> CheckTrouble {
        guard failure.isOfOneObject else { throw failure }
        switch failure.code {
        case .notFound: return CheckTrouble(.missing, "it is not there")
        case .damaged: return CheckTrouble(.altered, failure.what)
        default: return CheckTrouble(.unreadable, failure.what)
        }
    }
}
