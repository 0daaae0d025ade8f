package import ObjectStore
package import Platform

extension S3Store {
    package func put(_ key: StoreKey, _ bytes: borrowing RawSpan, use: StoreUse) throws(Failure) {
        try requireWriting()
        _ = try unsafe bytes.withUnsafeBytes { buffer throws(Failure) in try unsafe upload(key, buffer, use: use) }
    }

    struct Uploaded {
        /// Empty where nothing is versioned, or it is not known.
        var version: String
        /// An earlier try may have put a version before this one.
        var mayBeAgain: Bool
        static let unknown = Uploaded(version: "", mayBeAgain: true)
    }

    /// - Parameter headers: besides those of every put.
    func upload(
        _ key: StoreKey, _ bytes: UnsafeRawBufferPointer, use: StoreUse, headers: [(name: String, value: String)] = []
    ) throws(Failure) -> Uploaded {
        if use == .data, bytes.count > options.multipartBytes {
            return try unsafe putInParts(key, bytes, headers)
        }
        let what = "putting \(key)"
        let call = S3Call(.put, full(key), headers: [("if-none-match", "*")] + headers, isConditional: true)
        let settled = try client.send(what, call, unsafe Payload(bytes))
        switch settled.answer.status {
        case 200...299: return Uploaded(version: settled.answer.version, mayBeAgain: settled.mayHaveHappened)
        case 412:
            // 1. An earlier try of ours may have put it. The same bytes are the same put: a name belongs to one session.
            guard settled.mayHaveHappened else { throw taken(key) }
            try unsafe settle(key, bytes)
            return .unknown
        case 501:
            throw Failure(
                .refused, "\(location) cannot be written to: it does not know put-if-absent",
                advice: "It can be read. Put the vault on a store with put-if-absent")
        default: throw definite(what, settled)
        }
    }

    /// After a lost answer: returns when the object is these bytes.
    /// - Throws: `.exists` when it is others; `.unknownOutcome` when that cannot be found out.
    func settle(_ key: StoreKey, _ bytes: UnsafeRawBufferPointer) throws(Failure) {
        do throws(Failure) {
            guard let length = try length(of: key) else { throw absent(key) }
            guard length == bytes.count else { throw taken(key) }
            let window = 4 << 20
            for start in stride(from: 0, to: bytes.count, by: window) {
                let end = min(bytes.count, start + window)
                let stored = try get(key, range: UInt64(start)..<UInt64(end))
                guard unsafe stored.elementsEqual(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) else {
                    throw taken(key)
                }
            }
        } catch {
            if error.code == .exists { throw error }
            throw Failure(
                .unknownOutcome, "putting \(key): whether it was done is not known",
                advice: "Read it back before relying on either", cause: error)
        }
    }

    func taken(_ key: StoreKey) -> Failure { Failure(.exists, "\(key) is already in \(location)") }
}
