internal import Platform

/// One client, from greeting to goodbye. Everything it sends is hostile: lengths are bounded before anything is
/// allocated, and whatever cannot be understood ends the connection.
struct NBDConnection: Sendable {
    let socket: StreamSocket
    let exports: [NBDExport]
    let limits: NBDLimits
    /// Told what a client was refused because the source failed: the client sees an error number only.
    let onProblem: @Sendable (Failure) -> Void

    /// Returns when the client is done or gone.
    func serve() {
        do throws(Failure) {
            guard let agreement = try negotiate() else { return }
            try transmit(agreement)
        } catch {
            // The client went away or talked nonsense; nothing of ours is amiss.
        }
    }

    // MARK: - Handshake

    private func negotiate() throws(Failure) -> NBDNegotiation.Agreement? {
        let deadline = Deadline.after(limits.handshake)
        try socket.send(NBDNegotiation.greeting, by: deadline)
        guard let answer = try receive(4, by: deadline) else { return nil }
        var reader = BigEndianReader(answer)
        guard let flags = reader.take(UInt32.self),
            var negotiation = NBDNegotiation(exports: exports, clientFlags: flags)
        else { return nil }

        while let head = try receive(16, by: deadline) {
            var reader = BigEndianReader(head)
            guard reader.take(UInt64.self) == NBD.optionMagic, let option = reader.take(UInt32.self),
                let length = reader.take(UInt32.self)
            else { return nil }
            guard length <= NBD.largestOption else {
                try socket.send(NBDNegotiation.reply(to: option, .tooBig), by: deadline)
                return nil
            }
            guard let data = try receive(Int(length), by: deadline) else { return nil }
            let (answer, next) = negotiation.take(option: option, data)
            try socket.send(answer, by: deadline)
            switch next {
            case .proceed: continue
            case .close: return nil
            case .transmit(let agreement): return agreement
            }
        }
        return nil
    }

    // MARK: - Transmission

    private func transmit(_ agreement: NBDNegotiation.Agreement) throws(Failure) {
        let responder = NBDResponder(
            agreement: agreement, writer: NBDReplyWriter(socket, patience: limits.patience), onProblem: onProblem)
        let pool = WorkerPool(workers: limits.workers, depth: limits.workers * 4, name: "nbd")
        // Requests that were accepted are answered before the connection is let go.
        defer { pool.finish() }
        while let request = try nextRequest() {
            if request.kind == NBD.Command.disconnect.rawValue { return }
            if request.kind == NBD.Command.write.rawValue {
                // The data must be passed over, or it would be taken for requests.
                guard request.length <= NBD.largestRequest else { return }
                try skip(Int(request.length))
            }
            pool.submit { _ in responder.answer(request) }
        }
    }

    /// Nil at a proper end, and when what came is no request.
    private func nextRequest() throws(Failure) -> NBDRequest? {
        // An idle client may be silent for ever; one that has begun a request may not.
        guard let first = try receive(1, by: .never),
            let rest = try receive(NBDRequest.byteCount - 1, by: .after(limits.patience))
        else { return nil }
        return NBDRequest(first + rest)
    }

    private func skip(_ count: Int) throws(Failure) {
        var left = count
        let deadline = Deadline.after(limits.patience)
        while left > 0 {
            guard let bytes = try receive(min(left, 65536), by: deadline) else {
                throw Failure(.unreachable, "\(socket.name) closed in the middle of a write")
            }
            left -= bytes.count
        }
    }

    private func receive(_ count: Int, by deadline: Deadline) throws(Failure) -> [UInt8]? {
        var problem: Failure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            do throws(Failure) {
                let isWhole = unsafe try socket.receive(filling: UnsafeMutableRawBufferPointer(buffer), by: deadline)
                filled = isWhole ? count : 0
            } catch {
                problem = error
            }
        }
        if let problem { throw problem }
        return bytes.count == count ? bytes : nil
    }
}
