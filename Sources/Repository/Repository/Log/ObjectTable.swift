package import Platform
internal import Sealing

/// The objects of a log's state, as a sorted table of 80 bytes an object and the changes since it was sorted. A copy costs
/// the changes only, so that a record is judged on a copy of the state at little cost; and a repository of 100 million
/// chunks, which has some hundred thousand objects, keeps them in some tens of MiB.
package struct ObjectTable: Sendable {
    package typealias Element = (key: ObjectName, value: LogState.Holding)

    /// In the order of digest, kind, session: what lies under one digest lies together.
    private struct Row: Sendable {
        var digest: Digest
        var session: SessionID
        var length: UInt64
        var since: UInt64
        var changed: UInt64
        var kind: ObjectKind
        var status: LogState.Holding.Status

        init(_ name: ObjectName, _ held: LogState.Holding) {
            (digest, session, kind) = (name.digest, name.session, name.kind)
            (length, since, changed, status) = (held.length, held.since, held.changed, held.status)
        }

        var name: ObjectName { ObjectName(kind: kind, digest: digest, session: session) }
        var held: LogState.Holding { .init(length: length, since: since, status: status, changed: changed) }

        static func isBefore(_ left: Row, _ right: Row) -> Bool {
            (left.digest, left.kind, left.session) < (right.digest, right.kind, right.session)
        }

        func isBefore(_ name: ObjectName) -> Bool {
            (digest, kind, session) < (name.digest, name.kind, name.session)
        }
    }

    private var rows: [Row] = []
    /// What differs from `rows`; nil for what is gone.
    private var changes: [ObjectName: LogState.Holding?] = [:]
    private var changedNames: [Digest: [ObjectName]] = [:]
    package private(set) var count = 0

    package init() {}

    /// - Parameter elements: of names each once.
    init(_ elements: consuming [Element]) {
        rows = elements.map { Row($0.key, $0.value) }
        rows.sort(by: Row.isBefore)
        count = rows.count
    }

    private func place(of name: ObjectName) -> Int? {
        let place = rows.firstIndex(after: { $0.isBefore(name) })
        return place < rows.count && rows[place].name == name ? place : nil
    }

    package subscript(name: ObjectName) -> LogState.Holding? {
        get {
            if let change = changes[name] { return change }
            return place(of: name).map { rows[$0].held }
        }
        set {
            let old = self[name]
            guard old != newValue else { return }
            count += (newValue == nil ? 0 : 1) - (old == nil ? 0 : 1)
            if changes.updateValue(newValue, forKey: name) == nil {
                changedNames[name.digest, default: []].append(name)
            }
            if changes.count > Swift.max(1024, rows.count / 16) { settle() }
        }
    }

    /// The names under which objects of that digest lie, in order.
    package func names(of digest: Digest) -> [ObjectName] {
        var names: [ObjectName] = []
        var place = rows.firstIndex(after: { $0.digest < digest })
        while place < rows.count, rows[place].digest == digest {
            names.append(rows[place].name)
            place += 1
        }
        guard let changed = changedNames[digest] else { return names }
        for name in changed {
            names.removeAll { $0 == name }
            if changes[name] != .some(nil) { names.append(name) }
        }
        return names.sorted()
    }

    package var keys: some Sequence<ObjectName> { lazy.map(\.key) }
    package var values: some Sequence<LogState.Holding> { lazy.map(\.value) }

    /// Takes the changes into the table.
    private mutating func settle() {
        guard !changes.isEmpty else { return }
        let new = changes.compactMap { name, held in held.map { Row(name, $0) } }.sorted(by: Row.isBefore)
        var merged: [Row] = []
        merged.reserveCapacity(count)
        var next = 0
        for row in rows where changes[row.name] == nil {
            while next < new.count, Row.isBefore(new[next], row) {
                merged.append(new[next])
                next += 1
            }
            merged.append(row)
        }
        merged += new[next...]
        rows = merged
        (changes, changedNames) = ([:], [:])
    }

    /// Calls `body` with every object, in the order of their names: kind, digest, session.
    func forEachInOrder(_ body: (ObjectName, LogState.Holding) -> Void) {
        var table = self
        table.settle()
        for kind in ObjectKind.allCases.sorted() {
            for row in table.rows where row.kind == kind { body(row.name, row.held) }
        }
    }
}

extension ObjectTable: Sequence {
    /// In no order that means anything.
    package struct Iterator: IteratorProtocol {
        private let table: ObjectTable
        private var place = 0
        private var changes: Dictionary<ObjectName, LogState.Holding?>.Iterator

        fileprivate init(_ table: ObjectTable) {
            self.table = table
            changes = table.changes.makeIterator()
        }

        package mutating func next() -> Element? {
            while place < table.rows.count {
                let row = table.rows[place]
                place += 1
                if table.changes.isEmpty || table.changes[row.name] == nil { return (row.name, row.held) }
            }
            while let (name, held) = changes.next() {
                if let held { return (name, held) }
            }
            return nil
        }
    }

    package func makeIterator() -> Iterator { Iterator(self) }
    package var underestimatedCount: Int { count }
}

extension ObjectTable: Equatable {
    /// Of what they hold, however they came to it.
    package static func == (left: ObjectTable, right: ObjectTable) -> Bool {
        left.count == right.count && left.allSatisfy { right[$0.key] == $0.value }
    }
}
