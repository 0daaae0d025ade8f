import Hummingbird
import Logging
import Model
import NIOCore
import Platform
import Wire

/// Turns values and failures into answers, and bodies into checked values.
enum Answers {
    static func json(_ value: some Encodable, _ status: HTTPResponse.Status = .ok) throws(Failure) -> Response {
        body(try CanonicalJSON.encode(value), type: "application/json", status)
    }

    static func created(_ value: some Encodable, at path: String) throws(Failure) -> Response {
        var response = try json(value, .created)
        response.headers[.location] = path
        return response
    }

    static func accepted(_ value: some Encodable, at path: String) throws(Failure) -> Response {
        var response = try json(value, .accepted)
        response.headers[.location] = path
        return response
    }

    static func problem(_ failure: Failure, status: HTTPResponse.Status? = nil) -> Response {
        var problem = Problem(failure)
        if let status { problem.status = status.code }
        let bytes = (try? problem.bytes()) ?? []
        return body(bytes, type: Problem.mediaType, .init(code: problem.status))
    }

    private static func body(_ bytes: [UInt8], type: String, _ status: HTTPResponse.Status) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Longer bodies are refused before they are read to the end.
    static let longestBody = 256 << 10

    static func read<Value: Decodable & Checked>(
        _ type: Value.Type, from request: Request, limit: Int = longestBody
    ) async throws -> Value {
        let buffer = try await request.body.collect(upTo: limit)
        let value = try CanonicalJSON.decode(type, from: Array(buffer.readableBytesView), wrong: .usage, limit: limit)
        try value.check()
        return value
    }
}

/// Answers failures as problem details (RFC 9457) and writes a line for every call. Neither bodies nor headers are
/// logged: tokens travel in them.
struct ProblemMiddleware: RouterMiddleware {
    let logger: Logger
    let uptime: @Sendable () -> UInt64

    func handle(
        _ request: Request, context: CallContext, next: (Request, CallContext) async throws -> Response
    ) async throws -> Response {
        let start = uptime()
        let response: Response
        var why: String?
        do {
            response = try await next(request, context)
        } catch let failure as Failure {
            why = failure.description
            response = Answers.problem(failure)
        } catch let error as any HTTPResponseError {
            let words = "\(request.method) \(request.uri.path.prefix(200)): \(error.status.reasonPhrase)"
            why = words
            let code: Failure.Code = error.status == .notFound ? .notFound : .usage
            response = Answers.problem(Failure(code, words), status: error.status)
        } catch is CancellationError {
            response = Answers.problem(Failure(.unreachable, "The coordinator is stopping", advice: "Try again"))
        } catch {
            logger.error(
                "A call failed for a reason of our own",
                metadata: ["path": "\(request.uri.path.prefix(200))", "why": "\(error)"])
            response = Answers.problem(Failure(.failed, "The coordinator could not do this", advice: "See its log"))
        }
        var metadata: Logger.Metadata = [
            "method": "\(request.method)", "path": "\(request.uri.path.prefix(200))",
            "status": "\(response.status.code)", "from": "\(context.address)",
            "milliseconds": "\((uptime() &- start) / 1_000_000)",
        ]
        if let why { metadata["why"] = "\(why)" }
        let level: Logger.Level = response.status.code >= 500 ? .error : why == nil ? .debug : .info
        logger.log(level: level, "call", metadata: metadata)
        return response
    }
}
