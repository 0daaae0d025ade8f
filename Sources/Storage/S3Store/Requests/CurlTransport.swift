internal import CCurl
internal import Platform

/// HTTP/1.1 by libcurl. A connection stays open between requests, one for each thread that is at it at a time.
package final class CurlTransport: HTTPTransport {
    /// When a server that is there is given up; the call is then made again, as after every connection that broke.
    package struct Patience: Sendable {
        /// Seconds until a connection stands, TLS and all.
        package var connecting = 10
        /// Seconds in which nothing moves.
        package var idle = 60
        /// In each span of so many seconds at least so many bytes move, either way: thirty connections that share a line of
        /// 64 kbit/s do that, and a server that lets its answer drip does not.
        package var span = 120
        package var bytes: Int64 = 32 << 10
        package init() {}
    }

    private let authority: String?
    private let patience: Patience
    private let state = Monitor(State())
    private static let mostIdle = 48

    /// - Parameter authority: a PEM file of the CAs to trust instead of the machine's.
    package init(authority: String?, patience: Patience = Patience()) {
        self.authority = authority
        self.patience = patience
    }

    @safe private final class Client {
        let pointer: OpaquePointer
        init?(authority: String?, _ patience: Patience) {
            let patience = curl_patience(
                connect_seconds: patience.connecting, idle_seconds: patience.idle, span_seconds: patience.span,
                span_bytes: patience.bytes)
            guard let made = unsafe curl_client_make(authority, patience) else { return nil }
            unsafe pointer = made
        }
        deinit { unsafe curl_client_free(pointer) }
    }

    /// Bodies from this many bytes on are sent over connections that sent such before: those know how fast the line is, and
    /// any other finds out slowly.
    private static let longBody = 1 << 20

    private struct State {
        var idle: [Client] = []
        var idleSenders: [Client] = []
        /// What one connection learns of the line is so for all of them.
        var isLossy = false
    }

    package func exchange(_ request: HTTPRequest, _ body: Payload?) -> HTTPOutcome {
        let isLong = (body?.count ?? 0) >= Self.longBody
        let (kept, known) = state.access { state in
            (isLong ? state.idleSenders.popLast() ?? state.idle.popLast() : state.idle.popLast(), state.isLossy)
        }
        guard let client = kept ?? Client(authority: authority, patience) else {
            return .impossible(reason: "libcurl cannot be set up")
        }
        var isLossy = known
        let outcome = Self.perform(request, body, on: client, isLossy: &isLossy)
        state.access { state in
            if isLossy { state.isLossy = true }
            if isLong {
                state.idleSenders.append(client)
            } else if state.idle.count < Self.mostIdle {
                state.idle.append(client)
            }
        }
        return outcome
    }

    private static let longestProblem = 16 << 10

    private static func perform(
        _ request: HTTPRequest, _ body: Payload?, on client: Client, isLossy: inout Bool
    ) -> HTTPOutcome {
        var exchange = unsafe curl_exchange()
        unsafe exchange.is_lossy = isLossy
        unsafe exchange.once = request.once
        if let body {
            unsafe exchange.body = body.bytes.baseAddress
            unsafe exchange.body_count = body.count
        }
        var problem: [UInt8] = []
        let content = unsafe [UInt8](unsafeUninitializedCapacity: request.capacity) { content, filled in
            problem = unsafe [UInt8](unsafeUninitializedCapacity: longestProblem) { problem, filledToo in
                unsafe exchange.content = UnsafeMutableRawPointer(content.baseAddress)
                unsafe exchange.content_capacity = request.capacity
                unsafe exchange.problem = UnsafeMutableRawPointer(problem.baseAddress)?.assumingMemoryBound(
                    to: CChar.self)
                unsafe exchange.problem_capacity = longestProblem
                unsafe withStrings(request) { method, url, headers in
                    unsafe exchange.method = method
                    unsafe exchange.url = url
                    unsafe exchange.headers = headers.baseAddress
                    unsafe exchange.header_count = headers.count
                    unsafe curl_client_perform(client.pointer, &exchange)
                }
                filledToo = unsafe exchange.problem_count
            }
            filled = unsafe exchange.content_count
        }
        isLossy = unsafe exchange.is_lossy
        let reason = unsafe text(exchange.reason)
        switch unsafe exchange.outcome {
        case curl_answered:
            let announced = unsafe exchange.announced
            return .answered(
                HTTPAnswer(
                    status: Int(unsafe exchange.status), content: content, problem: problem,
                    announced: UInt64(exactly: announced), etag: unsafe text(exchange.etag),
                    version: unsafe text(exchange.version), lockMode: unsafe text(exchange.lock_mode),
                    lockUntil: unsafe text(exchange.lock_until)))
        case curl_not_connected: return .notConnected(reason: reason)
        case curl_not_trusted: return .notTrusted(reason: reason)
        case curl_too_long: return .tooLong(status: Int(unsafe exchange.status))
        case curl_impossible: return .impossible(reason: reason)
        default: return .broken(reason: reason)
        }
    }

    /// The request's texts as C has them, for the time of `body`.
    private static func withStrings(
        _ request: HTTPRequest,
        _ body: (
            UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafeBufferPointer<UnsafePointer<CChar>?>
        ) -> Void
    ) {
        // One run of bytes for all, each text ended by a zero.
        var bytes: [CChar] = []
        var starts: [Int] = []
        for text in [request.method.rawValue, request.url] + request.headers.map({ "\($0.name): \($0.value)" }) {
            starts.append(bytes.count)
            bytes += text.utf8.map { CChar(bitPattern: $0) } + [0]
        }
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let headers: [UnsafePointer<CChar>?] = unsafe starts.dropFirst(2).map { unsafe base + $0 }
            unsafe headers.withUnsafeBufferPointer { unsafe body(base + starts[0], base + starts[1], $0) }
        }
    }

    /// A terminated array of C, as text.
    private static func text<Storage>(_ storage: Storage) -> String {
        unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
