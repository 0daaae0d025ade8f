/// What carries a signed request to a server and its answer back: libcurl in the product, doubles in tests.
package protocol HTTPTransport: Sendable {
    /// Blocks until it is settled. Safe to call from several threads at once.
    func exchange(_ request: HTTPRequest, _ body: Payload?) -> HTTPOutcome
}

package struct HTTPRequest: Sendable {
    package var method: S3Call.Method
    package var url: String
    /// The signature among them: not to be printed.
    package var headers: [(name: String, value: String)]
    /// Bytes of a successful answer.
    package var capacity: Int
    /// May not be sent again without the caller knowing.
    package var once: Bool

    package init(
        method: S3Call.Method, url: String, headers: [(name: String, value: String)], capacity: Int, once: Bool
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.capacity = capacity
        self.once = once
    }
}

package struct HTTPAnswer: Sendable {
    package var status: Int
    /// What a status of 200 to 299 came with.
    package var content: [UInt8]
    /// What another status came with, cut at 16 KiB.
    package var problem: [UInt8]
    /// Of the Content-Length header.
    package var announced: UInt64?
    package var etag: String
    /// Which version of an object this is; empty where nothing is versioned.
    package var version: String
    /// `GOVERNANCE` or `COMPLIANCE` and a time in ISO 8601, or empty: whether the object can be deleted, and from when on.
    package var lockMode: String
    package var lockUntil: String

    package init(
        status: Int, content: [UInt8] = [], problem: [UInt8] = [], announced: UInt64? = nil, etag: String = "",
        version: String = "", lockMode: String = "", lockUntil: String = ""
    ) {
        self.status = status
        self.content = content
        self.problem = problem
        self.announced = announced
        self.etag = etag
        self.version = version
        self.lockMode = lockMode
        self.lockUntil = lockUntil
    }
}

package enum HTTPOutcome: Sendable {
    case answered(HTTPAnswer)
    /// The server has seen nothing of the request.
    case notConnected(reason: String)
    /// Nobody vouches for the server's certificate.
    case notTrusted(reason: String)
    /// Whether the request was carried out is not known.
    case broken(reason: String)
    /// The answer is longer than the request allows.
    case tooLong(status: Int)
    /// The request cannot be made.
    case impossible(reason: String)
}
