package import Platform

/// Operations of S3 on one bucket: addressed, signed, sent, and sent again while that can help.
package struct S3Client: Sendable {
    package let settings: S3Settings
    package let surroundings: Surroundings
    private let transport: any HTTPTransport
    private let signer: RequestSigner

    package init(_ settings: S3Settings, surroundings: Surroundings, transport: (any HTTPTransport)? = nil) {
        self.settings = settings
        self.surroundings = surroundings
        self.transport = transport ?? CurlTransport(authority: settings.authority)
        signer = RequestSigner(credentials: settings.credentials, region: settings.region)
    }

    /// An answer that settles something.
    package struct Settled {
        package var answer: HTTPAnswer
        /// An earlier try of the same call got no answer, or none that says whether it was carried out.
        package var mayHaveHappened: Bool
    }

    /// One try after another, each after a longer pause: about ten seconds in all.
    private static let tries = 10
    private static let (firstPause, longestPause): (UInt64, UInt64) = (50_000_000, 4_000_000_000)

    /// Sends a call until it is answered by more than "try again".
    /// - Parameter what: what is being done, for people.
    /// - Throws: `.unreachable`; `.refused` for a server that is not trusted; `.unsuited`; `.failed`. For a call that changes
    ///   something, `.unknownOutcome` once it may have been carried out.
    package func send(_ what: String, _ call: S3Call, _ body: Payload? = nil) throws(Failure) -> Settled {
        var mayHaveHappened = false
        var last = Failure(.failed, "\(what) was never tried")
        for attempt in 0..<Self.tries {
            if attempt > 0 { pause(before: attempt) }
            switch transport.exchange(request(call, body), body) {
            case .answered(let answer):
                switch retry(answer) {
                case .no: return Settled(answer: answer, mayHaveHappened: mayHaveHappened)
                case .notDone: break
                case .perhapsDone: mayHaveHappened = true
                }
                last = refusal(what, answer)
            case .notConnected(let reason):
                last = Failure(
                    .unreachable, "\(what): \(settings.endpoint.host) cannot be reached: \(reason)",
                    advice: "Check the network and the endpoint, and try again")
            case .broken(let reason):
                mayHaveHappened = true
                last = Failure(
                    .unreachable, "\(what): the connection to \(settings.endpoint.host) broke: \(reason)",
                    advice: "Try again")
            case .notTrusted(let reason):
                last = Failure(
                    .refused, "\(what): the certificate of \(settings.endpoint.host) is not trusted: \(reason)",
                    advice: "Nothing was sent. Name the CA's file in AWS_CA_BUNDLE, or by ca= in the vault's address")
                throw settle(what, call, mayHaveHappened, last)
            case .tooLong(let status):
                last =
                    status == 200 && call.isForPart
                    ? partsIgnored(what)
                    : Failure(
                        .damaged, "\(what): \(settings.endpoint.host) answers with more than was asked for",
                        advice:
                            "What came was thrown away. Try again; where it stays so, the store does not keep to S3, or "
                            + "a proxy on the way changes its answers")
                throw settle(what, call, true, last)
            case .impossible(let reason):
                last = Failure(.failed, "\(what): \(reason)")
                throw settle(what, call, mayHaveHappened, last)
            }
        }
        throw settle(what, call, mayHaveHappened, last)
    }

    private func settle(_ what: String, _ call: S3Call, _ mayHaveHappened: Bool, _ last: Failure) -> Failure {
        guard mayHaveHappened, call.method != .get, call.method != .head else { return last }
        return Failure(
            .unknownOutcome, "\(what): whether it was done is not known",
            advice: "Read it back before relying on either", cause: last)
    }

    /// Full jitter: anything up to a bound that doubles.
    private func pause(before attempt: Int) {
        let bound = min(Self.longestPause, Self.firstPause << UInt64(attempt - 1))
        var dice: UInt64 = 0
        for byte in surroundings.random(8) { dice = dice << 8 | UInt64(byte) }
        surroundings.pause(dice % bound)
    }

    // MARK: - Requests

    private func request(_ call: S3Call, _ body: Payload?) -> HTTPRequest {
        let place = settings.place(of: call.key)
        let query = call.query.map {
            (PercentEncoding.encode($0.name.utf8), PercentEncoding.encode($0.value.utf8))
        }.sorted { $0 < $1 }.map { "\($0)=\($1)" }.joined(separator: "&")
        var headers = call.headers
        if let body { headers.append(("content-md5", body.md5)) }
        headers = signer.headers(
            of: .init(
                method: call.method.rawValue, host: place.host, path: place.path, query: query, headers: headers,
                payload: body?.sha256 ?? Payload.emptySHA256),
            at: surroundings.now())
        return HTTPRequest(
            method: call.method,
            url: "\(settings.endpoint.scheme)://\(place.host)\(place.path)" + (query.isEmpty ? "" : "?" + query),
            headers: headers, capacity: call.capacity, once: call.isConditional)
    }

    // MARK: - Answers

    private enum Retry { case no, notDone, perhapsDone }

    private func retry(_ answer: HTTPAnswer) -> Retry {
        switch answer.status {
        case 429: return .notDone
        case 408, 500, 502, 503, 504: return .perhapsDone
        case 400, 409:
            // What arrived was not what was sent, or another writer was at the same name in that moment.
            let again: Set<String> = [
                "RequestTimeout", "BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody",
                "ConditionalRequestConflict", "OperationAborted",
            ]
            return again.contains(ErrorAnswer(answer.problem).code) ? .notDone : .no
        default: return .no
        }
    }

    /// Of an answer to a call for a part of an object that brings the whole: nothing is wrong with the object.
    package func partsIgnored(_ what: String) -> Failure {
        Failure(
            .unsuited, "\(what): \(settings.endpoint.host) answers with a whole object where a part was asked for",
            advice: "That says nothing of what is stored. A vault wants a store that gives parts (the header Range), "
                + "and nothing on the way to it that takes that away")
    }

    /// A refusal in a sentence, with what to do.
    package func refusal(_ what: String, _ answer: HTTPAnswer) -> Failure {
        let said = ErrorAnswer(answer.problem)
        var words = "\(what): \(settings.endpoint.host) answers \(answer.status)"
        for text in [said.code, said.message] where !text.isEmpty && !settings.credentials.areBetrayed(by: text) {
            words += text == said.code ? " \(text)" : " (\(text))"
        }
        switch (answer.status, said.code) {
        case (_, "NoSuchBucket"):
            return Failure(
                .notFound, "there is no bucket \(settings.bucket) at \(settings.endpoint.host)",
                advice: "Check the name, or make the bucket first")
        case (404, _): return Failure(.notFound, words)
        case (_, "QuotaExceeded"), (507, _):
            return Failure(.full, words, advice: "What is stored is safe. Raise the quota, then run again")
        case (_, "RequestTimeTooSkewed"):
            return Failure(.refused, words, advice: "Set this machine's clock, then run again")
        case (_, "ExpiredToken"), (_, "TokenRefreshRequired"):
            return Failure(.refused, words, advice: "Get new temporary credentials, then run again")
        case (401, _), (403, _):
            return Failure(
                .refused, words,
                advice: "Check the credentials and what they allow: get, put, delete and list in that bucket")
        case (301, _), (307, _), (_, "AuthorizationHeaderMalformed"), (_, "PermanentRedirect"):
            return Failure(.refused, words, advice: "Name the bucket's own region and endpoint")
        case (408, _), (429, _), (500, _), (502..., _):
            return Failure(.unreachable, words, advice: "Try again later")
        default: return Failure(.failed, words)
        }
    }
}
