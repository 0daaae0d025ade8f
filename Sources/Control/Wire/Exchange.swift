import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
package import NIOSSL
package import Platform

/// One server as its clients see it: requests with a deadline, answers of bounded size, errors as `Failure`.
///
/// Works from async code (`send`) and from threads of the engine (`sendBlocking`). Redirects are not followed, no
/// proxy is taken from the environment, and a connection that cannot be made fails at once: retrying is the caller's
/// decision (`Retry`).
package final class Exchange: Sendable {
    package struct Answer: Sendable {
        package var status: Int
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package func header(_ name: String) -> String? {
            headers.first { $0.name.lowercased() == name.lowercased() }?.value
        }
    }

    package struct Call: Sendable {
        package enum Method: Sendable { case get, head, post, put, delete }
        package var method: Method
        /// With its query, percent-encoded.
        package var path: String
        package var headers: [(String, String)]
        package var body: [UInt8]?
        /// Longest body accepted in the answer.
        package var limit: Int
        package var seconds: Int64

        package init(
            _ method: Method, _ path: String, headers: [(String, String)] = [], body: [UInt8]? = nil,
            limit: Int = 1 << 20, seconds: Int64 = 30
        ) {
            self.method = method
            self.path = path
            self.headers = headers
            self.body = body
            self.limit = limit
            self.seconds = seconds
        }
    }

    /// `https://host:port`, without a slash at the end.
    package let location: String
    private let base: String
    private let client: HTTPClient

    /// - Parameters:
    ///   - location: `https://host:port` to connect to.
    ///   - verifying: the name that the server's certificate must carry, where that is not the host in `location`.
    package init(
        _ location: String, tls: TLSConfiguration, verifying name: String? = nil, connectSeconds: Int64 = 10,
        connections: Int = 8
    ) throws(Failure) {
        let address = try ServerAddress(location)
        self.location = address.description
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls, redirectConfiguration: .disallow)
        configuration.httpVersion = .http1Only
        configuration.timeout.connect = .seconds(connectSeconds)
        configuration.connectionPool.idleTimeout = .seconds(30)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connections
        configuration.decompression = .disabled
        if let name {
            configuration.dnsOverride = [name: address.host]
            base = "https://\(name):\(address.port)"
        } else {
            base = address.description
        }
        client = HTTPClient(configuration: configuration)
    }

    package func send(_ call: Call) async throws(Failure) -> Answer {
        let task = try start(call)
        do {
            let response = try await withTaskCancellationHandler {
                try await task.get()
            } onCancel: {
                task.cancel()
            }
            return Self.answer(response)
        } catch {
            throw failure(error)
        }
    }

    /// The same from a thread that may block: never from an event loop or the cooperative pool.
    @available(*, noasync)
    package func sendBlocking(_ call: Call) throws(Failure) -> Answer {
        let task = try start(call)
        do {
            return Self.answer(try task.wait())
        } catch {
            throw failure(error)
        }
    }

    /// Lets go of the connections. Calls that come later fail.
    package func close() async {
        // Shutting down an idle client twice is the only way this fails, and then there is nothing left to do.
        try? await client.shutdown()
    }

    /// The same from a thread that may block.
    @available(*, noasync)
    package func closeBlocking() { try? client.syncShutdown() }

    private func start(_ call: Call) throws(Failure) -> HTTPClient.Task<HTTPClient.Response> {
        try during("calling \(location)") {
            var headers = HTTPHeaders(call.headers)
            headers.replaceOrAdd(name: "user-agent", value: "breakwater/1")
            let method: HTTPMethod =
                switch call.method {
                case .get: .GET
                case .head: .HEAD
                case .post: .POST
                case .put: .PUT
                case .delete: .DELETE
                }
            let request = try HTTPClient.Request(
                url: base + call.path, method: method, headers: headers, body: call.body.map { .bytes($0) })
            return client.execute(
                request: request, delegate: ResponseAccumulator(request: request, maxBodySize: call.limit),
                deadline: .now() + .seconds(call.seconds))
        }
    }

    private static func answer(_ response: HTTPClient.Response) -> Answer {
        Answer(
            status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) },
            body: response.body.map { Array($0.readableBytesView) } ?? [])
    }

    private func failure(_ error: any Error) -> Failure {
        switch error {
        case let failure as Failure:
            return failure
        case is ResponseAccumulator.ResponseTooBigError:
            return Failure(.damaged, "\(location) answered with more bytes than can be right")
        case is CancellationError:
            return Failure(.cancelled, "The call to \(location) was cancelled")
        case let error as HTTPClientError where error == .cancelled:
            return Failure(.cancelled, "The call to \(location) was cancelled")
        case NIOSSLError.handshakeFailed(.sslError), NIOSSLError.unableToValidateCertificate, is NIOSSLExtraError,
            is BoringSSLError:
            return Failure(
                .refused, "\(location) and this program do not accept each other's certificate",
                advice: "Both must hold certificates of the same coordinator's authority, and the clocks must agree",
                cause: error)
        default:
            return Failure(
                .unreachable, "\(location) did not answer",
                advice: "See that it runs and that the network between lets you through", cause: error)
        }
    }
}
