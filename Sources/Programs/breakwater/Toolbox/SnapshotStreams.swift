import Platform
import Repository

extension ClearPart.StreamKind {
    var word: String {
        switch self {
        case .tree: "tree"
        case .disk: "disk"
        case .machine: "machine"
        }
    }
}

extension Snapshot {
    /// The stream of a kind that is meant: the only one, or the one of that label.
    /// - Throws: `.notFound`; `.usage` when there are several.
    func stream(_ kind: ClearPart.StreamKind, label: String?) throws(Failure) -> SealedPart.Stream {
        let all = part.streams.filter { $0.kind == kind }
        let matching = all.filter { label == nil || $0.label == label }
        guard let first = matching.first else {
            let labelled = label.map { " labelled \($0)" } ?? ""
            throw Failure(
                .notFound, "snapshot \(id.hex.prefix(12)) holds no \(kind.word)\(labelled)",
                advice: "It holds " + part.streams.map(\.words).joined(separator: ", ") + ".")
        }
        guard matching.count == 1 else {
            throw Failure(
                .usage, "snapshot \(id.hex.prefix(12)) holds \(matching.count) streams of the kind \(kind.word)",
                advice: "Name one with --stream: " + all.map(\.label).joined(separator: ", ") + ".")
        }
        return first
    }

    func tree(label: String?) throws(Failure) -> ContentRef {
        guard case .tree(let root) = try stream(.tree, label: label).content else {
            throw Failure(
                .damaged, "the stream is no tree, though it says so",
                advice: "`breakwater repository check` names what is damaged; restore from another snapshot.")
        }
        return root
    }

    func disk(label: String?) throws(Failure) -> DiskRef {
        guard case .disk(let disk) = try stream(.disk, label: label).content else {
            throw Failure(
                .damaged, "the stream is no disk, though it says so",
                advice: "`breakwater repository check` names what is damaged; restore from another snapshot.")
        }
        return disk
    }
}

extension SealedPart.Stream {
    var words: String { "a \(kind.word)" + (label.isEmpty ? "" : " labelled \(label)") }
}
