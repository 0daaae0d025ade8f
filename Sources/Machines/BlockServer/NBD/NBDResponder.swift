internal import Platform

/// Answers the requests of one connection, several at a time.
struct NBDResponder: Sendable {
    let agreement: NBDNegotiation.Agreement
    let writer: NBDReplyWriter
    let onProblem: @Sendable (Failure) -> Void

    /// Data of a structured reply goes out in pieces of this size, so that a large read holds little memory.
    private static let piece: UInt64 = 256 << 10
    private static let mostExtents = 2048

    private var source: any BlockSource { agreement.export.source }

    func answer(_ request: NBDRequest) {
        // Whoever cannot be answered is gone, and the writer has shut the connection.
        do throws(Failure) { try perform(request) } catch {}
    }

    private func perform(_ request: NBDRequest) throws(Failure) {
        switch NBD.Command(rawValue: request.kind) {
        case .read: try read(request)
        case .blockStatus: try blockStatus(request)
        case .flush:
            // Nothing is ever written, so everything is on the disk.
            try request.flags == 0 ? writer.simple(request.cookie) : refuse(request, .invalid, "unknown flags")
        case .write, .trim, .writeZeroes: try refuse(request, .notPermitted, "the export is read-only")
        case .cache, .disconnect, nil: try refuse(request, .invalid, "unknown command")
        }
    }

    /// Errors of reads and block status must be structured once that was agreed on; others may be.
    private func refuse(_ request: NBDRequest, _ problem: NBD.Problem, _ words: String) throws(Failure) {
        if agreement.structured {
            try writer.failure(request.cookie, problem, words)
        } else {
            try writer.simple(request.cookie, problem)
        }
    }

    private func fail(_ request: NBDRequest, _ failure: Failure) throws(Failure) {
        onProblem(failure.during("\(agreement.export.name) at byte \(request.offset)"))
        try refuse(request, failure.code == .cancelled ? .shutdown : .inputOutput, failure.what)
    }

    // MARK: - NBD_CMD_READ

    private func read(_ request: NBDRequest) throws(Failure) {
        let known = agreement.structured ? NBD.CommandFlag.dontFragment : 0
        guard request.flags & ~(known | NBD.CommandFlag.forceUnitAccess) == 0 else {
            return try refuse(request, .invalid, "unknown flags")
        }
        guard request.length <= NBD.largestRequest, let range = request.range(within: source.size) else {
            return try refuse(request, .invalid, "outside the disk, or longer than \(NBD.largestRequest) bytes")
        }
        if !agreement.structured { return try readSimply(request, range) }
        if range.isEmpty { return try writer.chunk(.none, request.cookie, isLast: true) }
        if request.flags & NBD.CommandFlag.dontFragment != 0 {
            try sendData(request, range, isLast: true)
        } else {
            try readInPieces(request, range)
        }
    }

    private func readSimply(_ request: NBDRequest, _ range: Range<UInt64>) throws(Failure) {
        let bytes: [UInt8]
        do throws(Failure) { bytes = try load(range) } catch { return try fail(request, error) }
        try unsafe Self.withBytes(bytes) { data throws(Failure) in unsafe try writer.simple(request.cookie, data) }
    }

    private func readInPieces(_ request: NBDRequest, _ range: Range<UInt64>) throws(Failure) {
        var place = range.lowerBound
        while place < range.upperBound {
            let extents: [BlockExtent]
            do throws(Failure) { extents = try source.extents(in: place..<range.upperBound) } catch {
                return try fail(request, error)
            }
            for extent in extents where place < range.upperBound {
                let end = min(place + extent.length, range.upperBound)
                if extent.isHole {
                    try sendHole(request, place..<end, isLast: end == range.upperBound)
                    place = end
                }
                while place < end {
                    let next = min(place + Self.piece, end)
                    if try !sendData(request, place..<next, isLast: next == range.upperBound) { return }
                    place = next
                }
            }
        }
    }

    private func sendHole(_ request: NBDRequest, _ range: Range<UInt64>, isLast: Bool) throws(Failure) {
        var payload: [UInt8] = []
        payload.append(bigEndian: range.lowerBound)
        payload.append(bigEndian: UInt32(range.count))
        try writer.chunk(.offsetHole, request.cookie, isLast: isLast, payload)
    }

    /// - Returns: false when the source failed and the reply has ended with that.
    @discardableResult
    private func sendData(_ request: NBDRequest, _ range: Range<UInt64>, isLast: Bool) throws(Failure) -> Bool {
        let bytes: [UInt8]
        do throws(Failure) { bytes = try load(range) } catch {
            try fail(request, error)
            return false
        }
        var place: [UInt8] = []
        place.append(bigEndian: range.lowerBound)
        try unsafe Self.withBytes(bytes) { data throws(Failure) in
            unsafe try writer.chunk(.offsetData, request.cookie, isLast: isLast, place, data)
        }
        return true
    }

    private func load(_ range: Range<UInt64>) throws(Failure) -> [UInt8] {
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            do throws(Failure) {
                unsafe try source.read(
                    at: range.lowerBound,
                    into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: range.count))
                count = range.count
            } catch {
                problem = error
            }
        }
        if let problem { throw problem }
        return bytes
    }

    private static func withBytes(
        _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        var problem: Failure?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(Failure) { unsafe try body(bytes) } catch { problem = error }
        }
        if let problem { throw problem }
    }

    // MARK: - NBD_CMD_BLOCK_STATUS

    private func blockStatus(_ request: NBDRequest) throws(Failure) {
        guard agreement.allocation, request.flags & ~NBD.CommandFlag.requireOne == 0 else {
            return try refuse(request, .invalid, "no context was agreed on, or unknown flags")
        }
        guard request.length > 0, let range = request.range(within: source.size) else {
            return try refuse(request, .invalid, "outside the disk")
        }
        var extents: [BlockExtent]
        do throws(Failure) { extents = try source.extents(in: range) } catch { return try fail(request, error) }
        if request.flags & NBD.CommandFlag.requireOne != 0 { extents = Array(extents.prefix(1)) }

        var payload: [UInt8] = []
        payload.append(bigEndian: NBD.Allocation.identifier)
        for extent in extents.prefix(Self.mostExtents) {
            payload.append(bigEndian: UInt32(clamping: extent.length))
            payload.append(bigEndian: extent.isHole ? NBD.Allocation.hole | NBD.Allocation.zero : 0)
        }
        try writer.chunk(.blockStatus, request.cookie, isLast: true, payload)
    }
}
