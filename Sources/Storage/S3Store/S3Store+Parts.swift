import ObjectStore
import Platform

/// Uploads in parts, for data whose name nobody else can use.
///
/// 1. A name that is taken is refused.
/// 2. An upload is begun; nothing of it is visible until it is completed.
/// 3. Each part is put, and verified by the server as every upload is.
/// 4. The upload is completed, with `If-None-Match` for servers that honour it there.
/// 5. The object that now stands there is looked at.
///
/// An upload that fails is aborted. What a dead process leaves behind is invisible and costs space: a lifecycle rule of the
/// bucket (`AbortIncompleteMultipartUpload`) clears it.
extension S3Store {
    func putInParts(
        _ key: StoreKey, _ bytes: UnsafeRawBufferPointer, _ headers: [(name: String, value: String)]
    ) throws(Failure) -> Uploaded {
        // 1.
        if try length(of: key) != nil { throw taken(key) }
        // 2.
        let upload = try begin(key, headers)
        let uploaded: Uploaded
        do throws(Failure) {
            // 3.
            var parts: [String] = []
            for start in stride(from: 0, to: bytes.count, by: options.partBytes) {
                let end = min(bytes.count, start + options.partBytes)
                let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                parts.append(try unsafe putPart(key, upload, number: parts.count + 1, Payload(part)))
            }
            // 4.
            uploaded = try unsafe complete(key, upload, parts, bytes)
        } catch {
            // Best effort: what stays is invisible, and the error that matters is the first.
            _ = try? client.send(
                "aborting the upload of \(key)", S3Call(.delete, full(key), query: [("uploadId", upload)]))
            throw error
        }
        // 5.
        try verify(key, length: bytes.count)
        return uploaded
    }

    private func begin(_ key: StoreKey, _ headers: [(name: String, value: String)]) throws(Failure) -> String {
        let what = "beginning to put \(key) in parts"
        let settled = try client.send(what, S3Call(.post, full(key), query: [("uploads", "")], headers: headers))
        guard settled.answer.status == 200 else { throw client.refusal(what, settled.answer) }
        var upload = ""
        try XMLScanner.scan(settled.answer.content) { path, text in
            if path == ["InitiateMultipartUploadResult", "UploadId"] { upload = text }
        }
        guard !upload.isEmpty, upload.utf8.count <= 1024 else {
            throw Failure(.failed, "\(what): \(location) gives the upload no name")
        }
        return upload
    }

    /// - Returns: the part's entity tag.
    private func putPart(
        _ key: StoreKey, _ upload: String, number: Int, _ part: Payload
    ) throws(Failure) -> String {
        let what = "putting part \(number) of \(key)"
        let call = S3Call(.put, full(key), query: [("partNumber", String(number)), ("uploadId", upload)])
        let settled: S3Client.Settled
        do throws(Failure) { settled = try client.send(what, call, part) } catch { throw invisible(error) }
        guard settled.answer.status == 200 else { throw client.refusal(what, settled.answer) }
        let tag = settled.answer.etag
        guard !tag.isEmpty,
            tag.utf8.allSatisfy({ 0x20...0x7e ~= $0 && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: "&") })
        else { throw Failure(.failed, "\(what): \(location) gives the part no tag") }
        return tag
    }

    /// Until an upload is completed nothing has happened that anybody could see.
    private func invisible(_ failure: Failure) -> Failure {
        guard failure.code == .unknownOutcome else { return failure }
        return (failure.cause as? Failure) ?? Failure(.unreachable, failure.what)
    }

    private func complete(
        _ key: StoreKey, _ upload: String, _ parts: [String], _ bytes: UnsafeRawBufferPointer
    ) throws(Failure) -> Uploaded {
        let what = "completing \(key)"
        var document = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (tag, number) in zip(parts, 1...) {
            document += "<Part><PartNumber>\(number)</PartNumber><ETag>\(tag)</ETag></Part>"
        }
        document += "</CompleteMultipartUpload>"
        let call = S3Call(
            .post, full(key), query: [("uploadId", upload)],
            headers: [("content-type", "application/xml"), ("if-none-match", "*")], isConditional: true)
        let text = Array(document.utf8)
        let settled = try unsafe text.span.bytes.withUnsafeBytes { body throws(Failure) -> S3Client.Settled in
            try client.send(what, call, unsafe Payload(body))
        }
        switch settled.answer.status {
        case 200:
            // S3 may begin to answer before it is done, and then say in the body that it was not.
            let said = ErrorAnswer(settled.answer.content)
            if said.code.isEmpty {
                return Uploaded(version: settled.answer.version, mayBeAgain: settled.mayHaveHappened)
            }
            try unsafe settle(key, bytes)
            return .unknown
        case 412, 404:
            // An earlier try of ours may have completed it; then the upload is gone, or the name is taken by it.
            if settled.mayHaveHappened {
                try unsafe settle(key, bytes)
                return .unknown
            } else if settled.answer.status == 412 {
                throw taken(key)
            } else {
                throw client.refusal(what, settled.answer)
            }
        default: throw definite(what, settled)
        }
    }

    private func verify(_ key: StoreKey, length: Int) throws(Failure) {
        guard try self.length(of: key) == UInt64(length) else {
            throw Failure(
                .damaged, "\(key) in \(location) is not as long as its parts",
                advice: "Nothing refers to it yet; run again")
        }
    }
}
