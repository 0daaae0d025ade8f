/// One pattern of what is left out, as a line of a `.gitignore` has it (gitignore(5)), over names that are bytes.
///
/// | pattern | leaves out |
/// |---|---|
/// | `*.o` | every name that ends so, at any depth |
/// | `/cache`, `var/cache` | that path, from where the pattern stands |
/// | `cache/` | directories only |
/// | `**/x`, `a/**/b`, `a/**` | `**` between slashes: any number of directories; at the end: everything below |
/// | `!keep.o` | takes back what an earlier pattern left out |
package struct ExcludePattern: Sendable {
    private enum Segment {
        case name(Glob)
        /// `**`: directories, none of them or any number.
        case directories
    }

    let takesBack: Bool
    let directoriesOnly: Bool
    /// The pattern is matched against the path from its base, and not against the name alone.
    let isAnchored: Bool
    private let segments: [Segment]

    /// Bytes in one pattern.
    package static let longest = 4096

    /// Nil for what can match nothing: a class without its end, a `\` at the end, no name at all, or too long a line.
    package init?(_ text: [UInt8]) {
        guard text.count <= Self.longest else { return nil }
        var rest = text[...]
        takesBack = rest.first == UInt8(ascii: "!")
        if takesBack { rest.removeFirst() }
        directoriesOnly = rest.last == Self.slash
        if directoriesOnly { rest.removeLast() }
        isAnchored = rest.contains(Self.slash)
        if rest.first == Self.slash { rest.removeFirst() }
        guard !rest.isEmpty else { return nil }
        let parts = rest.split(separator: Self.slash, omittingEmptySubsequences: false)
        var segments: [Segment] = []
        for (index, part) in parts.enumerated() {
            if isAnchored, part.elementsEqual(Self.twoStars) {
                if case .directories? = segments.last {} else { segments.append(.directories) }
                // What is below, and not the directory itself.
                guard index == parts.count - 1 else { continue }
            }
            guard let glob = Glob(part) else { return nil }
            segments.append(.name(glob))
        }
        self.segments = segments
    }

    private static let slash = UInt8(ascii: "/")
    private static let twoStars = Array("**".utf8)

    /// - Parameter directories: the names that lead from the pattern's base to `name`.
    func matches(_ name: [UInt8], below directories: ArraySlice<[UInt8]>, isDirectory: Bool) -> Bool {
        if directoriesOnly && !isDirectory { return false }
        guard isAnchored else {
            if case .name(let glob)? = segments.last { return glob.matches(name) }
            return false
        }
        // As in `Glob.matches`, a name for a byte and `**` for `*`.
        let count = directories.count + 1
        func component(_ index: Int) -> [UInt8] {
            index < directories.count ? directories[directories.startIndex + index] : name
        }
        var (segment, at) = (0, 0)
        var back: (segment: Int, at: Int)?
        while at < count {
            if segment < segments.count {
                switch segments[segment] {
                case .directories:
                    segment += 1
                    back = (segment, at)
                    continue
                case .name(let glob) where glob.matches(component(at)):
                    (segment, at) = (segment + 1, at + 1)
                    continue
                case .name: break
                }
            }
            guard let last = back else { return false }
            back = (last.segment, last.at + 1)
            (segment, at) = (last.segment, last.at + 1)
        }
        return segment == segments.count
    }
}
