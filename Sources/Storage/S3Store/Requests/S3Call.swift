/// One operation of S3 before it is addressed and signed.
package struct S3Call: Sendable {
    package enum Method: String, Sendable {
        case get = "GET", head = "HEAD", put = "PUT", post = "POST", delete = "DELETE"
    }

    package var method: Method
    /// The object's whole key in the bucket; empty for the bucket itself.
    package var key: String
    package var query: [(name: String, value: String)]
    /// Besides those that every request has; names in lower case.
    package var headers: [(name: String, value: String)]
    /// Bytes of a successful answer; a longer one is an error.
    package var capacity: Int
    /// Done twice, it is not the same as done once: it may not be sent again unnoticed.
    package var isConditional: Bool

    /// Asks for a part of an object.
    var isForPart: Bool { headers.contains { $0.name == "range" } }

    package init(
        _ method: Method, _ key: String = "", query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], capacity: Int = 64 << 10, isConditional: Bool = false
    ) {
        self.method = method
        self.key = key
        self.query = query
        self.headers = headers
        self.capacity = capacity
        self.isConditional = isConditional
    }
}
