internal import Glibc
package import Platform

/// A raw image in a file.
package final class FileBlockSource: BlockSource {
    private let file: Descriptor
    package let size: UInt64
    private static let mostExtents = 1024

    package init(path: String) throws(Failure) {
        let file = try Descriptor.open(path, O_RDONLY)
        size = try file.size()
        self.file = file
    }

    package func read(at offset: UInt64, into target: UnsafeMutableRawBufferPointer) throws(Failure) {
        if unsafe try file.read(into: target, at: offset) < target.count {
            throw Failure(.damaged, "\(file.label) became shorter while it was served")
        }
    }

    package func extents(in range: Range<UInt64>) throws(Failure) -> [BlockExtent] {
        var extents: [BlockExtent] = []
        var place = range.lowerBound
        while place < range.upperBound, extents.count < Self.mostExtents {
            let data = min(try file.seekData(from: place) ?? range.upperBound, range.upperBound)
            extents.extend(by: data - place, isHole: true)
            if data == range.upperBound { break }
            place = min(try file.seekHole(from: data) ?? range.upperBound, range.upperBound)
            extents.extend(by: place - data, isHole: false)
        }
        return extents
    }
}
