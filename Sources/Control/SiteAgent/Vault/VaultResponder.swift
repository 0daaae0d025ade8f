import Hummingbird
import Logging
import Model
import NIOCore
import NIOPosix
import ObjectStore
import Platform
import Wire

/// Answers a peer's requests for sealed bytes: one object's range, one object's length, one page of a listing.
///
/// 1. The caller's certificate must name an agent of the peer site.
/// 2. The path is taken byte for byte, without percent-decoding: whatever is not a tenant's id and a `StoreKey`
///    names nothing, so nothing climbs out of the vault.
/// 3. Store calls block, so they run on threads of their own; a range is read and sent in pieces.
///
/// There is no route that writes.
struct VaultResponder: HTTPResponder {
    /// What a connection holds in memory at a time.
    private static let piece: UInt64 = 1 << 20

    let repositories: @Sendable (Tenant.ID) throws -> any ObjectStore
    let mayRead: @Sendable (AgentIdentity) -> Bool
    let threads: NIOThreadPool
    let logger: Logger

    func respond(to request: Request, context: VaultRequestContext) async throws -> Response {
        do {
            let caller = try await PeerCertificate.agent(on: context.channel)
            guard mayRead(caller) else {
                throw Failure(.refused, "Agent \(caller) may not read this vault", advice: "Only its peer site may")
            }
            let place = try Self.place(in: request.uri.path)
            let store = try repositories(place.repository)
            switch (request.method, place.key) {
            case (.get, nil): return try await list(store, request)
            case (.get, let key?): return try await read(store, key, header: request.headers[.range])
            case (.head, let key?): return try await measure(store, key)
            default: throw Failure(.usage, "A vault answers GET and HEAD only")
            }
        } catch let failure as Failure {
            logger.info("Refused to serve", metadata: ["path": "\(request.uri.path.prefix(600))", "why": "\(failure)"])
            return Self.answer(failure)
        }
    }

    private struct Place {
        var repository: Tenant.ID
        /// Nil for the list of all.
        var key: StoreKey?
    }

    /// `/v1/vault/<repository>/objects` and `/v1/vault/<repository>/objects/<key>`.
    private static func place(in path: String) throws(Failure) -> Place {
        let nothing = Failure(.notFound, "There is no such object")
        let start = VaultRoute.prefix + "/"
        guard path.hasPrefix(start) else { throw nothing }
        let parts = path.dropFirst(start.count).split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count >= 2, parts[1] == "objects", let repository = try? Tenant.ID(String(parts[0])) else {
            throw nothing
        }
        guard parts.count == 3 else { return Place(repository: repository) }
        guard let key = StoreKey(String(parts[2])) else { throw nothing }
        return Place(repository: repository, key: key)
    }

    private func list(_ store: any ObjectStore, _ request: Request) async throws -> Response {
        let query = request.uri.queryParameters
        let prefix = query["prefix"].map(String.init) ?? ""
        var after: StoreKey?
        if let text = query["after"] {
            guard let key = StoreKey(String(text)) else { throw Failure(.usage, "\"after\" is not a key") }
            after = key
        }
        var limit = VaultRoute.longestPage
        if let text = query["limit"] {
            guard let number = Int(text), number > 0 else { throw Failure(.usage, "\"limit\" is not a number above 0") }
            limit = min(number, limit)
        }
        let page = try await threads.runIfActive { [after, limit] in
            try store.list(prefix: prefix, after: after, limit: limit)
        }
        var headers = HTTPFields()
        headers[.contentType] = "application/json"
        let bytes = try CanonicalJSON.encode(ObjectListing(page))
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    private func measure(_ store: any ObjectStore, _ key: StoreKey) async throws -> Response {
        var headers = HTTPFields()
        guard let length = try await threads.runIfActive({ try store.length(of: key) }) else {
            headers[.contentLength] = "0"
            return Response(status: .notFound, headers: headers)
        }
        headers[.contentLength] = String(length)
        return Response(status: .ok, headers: headers)
    }

    private func read(_ store: any ObjectStore, _ key: StoreKey, header: String?) async throws -> Response {
        guard let header, let range = VaultRoute.range(ofHeader: header),
            range.upperBound - range.lowerBound <= VaultRoute.longestRange
        else {
            throw Failure(.usage, "Objects are read by ranges of 1 to \(VaultRoute.longestRange) bytes")
        }
        let first = range.lowerBound..<min(range.upperBound, range.lowerBound + Self.piece)
        // Everything that can be known to go wrong goes wrong here, before the head of the answer is sent.
        let start = try await threads.runIfActive {
            guard let length = try store.length(of: key) else { throw Failure(.notFound, "There is no such object") }
            guard range.upperBound <= length else {
                throw Failure(.damaged, "\(key) has \(length) bytes and ends before byte \(range.upperBound)")
            }
            return try store.get(key, range: first)
        }
        var headers = HTTPFields()
        headers[.contentType] = "application/octet-stream"
        headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/*"
        let body = ResponseBody(contentLength: Int(range.upperBound - range.lowerBound)) { [threads] writer in
            try await writer.write(ByteBuffer(bytes: start))
            var at = first.upperBound
            while at < range.upperBound {
                let next = at..<min(range.upperBound, at + Self.piece)
                try await writer.write(
                    ByteBuffer(bytes: try await threads.runIfActive { try store.get(key, range: next) }))
                at = next.upperBound
            }
            try await writer.finish(nil)
        }
        return Response(status: .partialContent, headers: headers, body: body)
    }

    private static func answer(_ failure: Failure) -> Response {
        let problem = Problem(failure)
        var headers = HTTPFields()
        headers[.contentType] = Problem.mediaType
        let bytes = (try? problem.bytes()) ?? []
        return Response(
            status: HTTPResponse.Status(code: problem.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// A request together with the connection it came on, where the caller's certificate is.
struct VaultRequestContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = CoreRequestContextStorage(source: source)
        channel = source.channel
    }
}
