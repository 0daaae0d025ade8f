package import Platform
package import Repository
import Restore

/// Writes a snapshot's tree as a tar archive in the pax format, as it goes, in memory that does not depend on the
/// tree (but for the names of files that have several).
///
/// Every file begins with its length, so that what is damaged has to be known before it is begun: files up to
/// `whole` bytes are read first. In a longer file a damaged place shows when the file is half written, and the
/// archive ends there, without its end, so that no reader takes it for one; with `checksFirst` long files are read
/// twice, and a damaged one is left out like a short one.
package enum TarExport {
    package struct Options: Sendable {
        /// What to write, by the paths as they were at the backup; everything when empty.
        package var include: [AbsolutePath] = []
        package var checksFirst = false
        /// Threads that fetch and open.
        package var workers = 2
        /// Called now and then with bytes of files and files written; what it throws ends the export.
        package var watch: (@Sendable (_ bytes: UInt64, _ files: UInt64) throws -> Void)?
        package init() {}
    }

    package struct Report: Sendable {
        package var files: UInt64 = 0
        package var directories: UInt64 = 0
        package var others: UInt64 = 0
        /// Bytes of files, with their holes.
        package var bytes: UInt64 = 0
        /// Bytes of the archive.
        package var archiveBytes: UInt64 = 0
        /// Sockets, which tar does not hold and nobody misses.
        package var sockets: UInt64 = 0
        /// What was left out because it is damaged: how many, and the first of them.
        package var lost: UInt64 = 0
        package var problems: [(path: String, failure: Failure)] = []
    }

    /// Files up to this long are read whole before they are begun.
    static let whole: UInt64 = 4 << 20
    private static let mostProblems = 1000

    /// - Parameter write: takes the archive piece by piece.
    /// - Throws: `.notFound` when a path of `options.include` is not in the snapshot, before anything is written;
    ///   `.damaged` when the archive had to be cut; what `write` and `options.watch` throw.
    package static func run(
        _ reader: SnapshotReader, _ root: ContentRef, options: Options = Options(), write: ([UInt8]) throws -> Void
    ) throws -> Report {
        for path in options.include { _ = try SnapshotLookup.entry(at: path, in: reader, root: root) }
        return try withoutActuallyEscaping(write) { write in
            let run = Run(reader, options, write)
            try run.perform(root)
            return run.report
        }
    }

    private final class Run {
        let reader: SnapshotReader
        let options: Options
        var report = Report()
        private let output: ([UInt8]) throws -> Void
        private var pending: [UInt8] = []
        /// The first name of each file that has several.
        private var groups: [UInt64: (path: [UInt8], entry: TreeEntry, isWritten: Bool)] = [:]

        init(_ reader: SnapshotReader, _ options: Options, _ output: @escaping ([UInt8]) throws -> Void) {
            (self.reader, self.options, self.output) = (reader, options, output)
        }

        func perform(_ root: ContentRef) throws {
            let walk = SnapshotWalk(reader: reader) { path, failure in self.lose(path, failure) }
            let selection = options.include.isEmpty ? nil : PathForest(options.include).root
            try walk.run(root, selection) { try self.visit($0.path, $0.entry) }
            // Two blocks of zeros end an archive; GNU tar reads in records of twenty blocks.
            try put([UInt8](repeating: 0, count: 2 * TarMember.block))
            let record = UInt64(20 * TarMember.block)
            try put([UInt8](repeating: 0, count: Int((record - report.archiveBytes % record) % record)))
            try flush()
        }

        private func visit(_ path: [UInt8], _ entry: TreeEntry) throws -> Bool {
            if let objection = TarMember.objection(to: entry) {
                lose(path, objection)
                return false
            }
            switch entry.kind {
            case .directory:
                try put(TarMember(path: path, entry: entry).headers)
                report.directories += 1
            case .socket: report.sockets += 1
            case .file, .symbolicLink, .fifo, .blockDevice, .characterDevice:
                if try !isFurtherName(path, entry), try writeFirstName(path, entry), entry.link != 0 {
                    groups[entry.link]?.isWritten = true
                }
            }
            try options.watch?(report.bytes, report.files)
            return true
        }

        /// Whether the file was met before under another name, by which it is linked. What the snapshot calls one file
        /// has to be one in all it says of it; otherwise each name is a file of its own.
        private func isFurtherName(_ path: [UInt8], _ entry: TreeEntry) throws -> Bool {
            guard entry.link != 0 else { return false }
            guard let group = groups[entry.link] else {
                groups[entry.link] = (path, entry, false)
                return false
            }
            var same = group.entry
            same.name = entry.name
            guard same == entry else { return false }
            if group.isWritten {
                try put(TarMember(path: path, entry: entry, form: .link(target: group.path)).headers)
                if entry.kind == .file { report.files += 1 } else { report.others += 1 }
            } else {
                lose(path, Failure(.partial, "it is another name of a file that is damaged"))
            }
            return true
        }

        /// False when it had to be left out.
        private func writeFirstName(_ path: [UInt8], _ entry: TreeEntry) throws -> Bool {
            guard entry.kind == .file, let content = entry.content else {
                try put(TarMember(path: path, entry: entry).headers)
                report.others += 1
                return true
            }
            // Damage that shows before anything is written: the file is left out.
            var map: SparseMap
            var bytes: [[UInt8]]?
            do {
                map = try SparseMap(content, reader)
                if map.data <= TarExport.whole {
                    var pieces: [[UInt8]] = []
                    try read(content) { pieces.append($0) }
                    bytes = pieces
                } else if options.checksFirst {
                    try read(content) { _ in }
                }
            } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
                lose(path, failure)
                return false
            }
            var member = TarMember(path: path, entry: entry)
            member.stored = map.data
            if map.hasHoles {
                member.form = .sparse
                member.stored += map.length
            }
            do {
                try put(member.headers)
                if map.hasHoles { try map.write(put) }
                if let bytes { for piece in bytes { try put(piece) } } else { try read(content, put) }
            } catch let failure as Failure where failure.code == .damaged || failure.code == .notFound {
                throw Failure(
                    .damaged, "/\(String(decoding: path, as: UTF8.self)) is damaged, and the archive ends within it",
                    advice: "With --check-first it is left out and the rest is written; --also names another vault to "
                        + "take it from",
                    cause: failure)
            }
            try put(TarMember.padding(after: map.data))
            report.files += 1
            report.bytes.add(entry.size)
            return true
        }

        private func read(_ content: ContentRef, _ body: ([UInt8]) throws -> Void) throws {
            try ContentStream.read(content, from: reader, workers: options.workers) { bytes in
                try body(bytes)
                try options.watch?(report.bytes, report.files)
            }
        }

        private func lose(_ path: [UInt8], _ failure: Failure) {
            report.lost += 1
            guard report.problems.count < TarExport.mostProblems else { return }
            report.problems.append(("/" + String(decoding: path, as: UTF8.self), failure))
        }

        // MARK: - Output

        private func put(_ bytes: [UInt8]) throws {
            report.archiveBytes += UInt64(bytes.count)
            if bytes.count >= 1 << 18 {
                try flush()
                try output(bytes)
            } else {
                pending += bytes
                if pending.count >= 1 << 18 { try flush() }
            }
        }

        private func flush() throws {
            guard !pending.isEmpty else { return }
            let bytes = pending
            pending.removeAll(keepingCapacity: true)
            try output(bytes)
        }
    }
}
