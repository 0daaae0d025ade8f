import Platform
import S3Store
import Synchronization

/// An S3 server in memory, and the network before it: a script says what happens to each request. It verifies no
/// signatures; the real engine does.
final class ServerDouble: HTTPTransport {
    /// What happens to one request.
    enum Fate {
        case served
        /// Carried out, and the answer lost.
        case answerLost
        /// Lost on its way.
        case requestLost
        case notConnected
        case notTrusted
        case answered(HTTPAnswer)
    }

    struct Sent {
        var method: String
        var url: String
        var headers: [String: String]
    }

    private struct State {
        var objects: [String: [UInt8]] = [:]
        var sent: [Sent] = []
        var script: [Fate] = []
    }

    private let state = Mutex(State())
    let knowsConditions: Bool
    let knowsRanges: Bool

    init(knowsConditions: Bool = true, knowsRanges: Bool = true) {
        self.knowsConditions = knowsConditions
        self.knowsRanges = knowsRanges
    }

    /// The fates of the next requests; later ones are served.
    func script(_ fates: [Fate]) { state.withLock { $0.script = fates } }
    var sent: [Sent] { state.withLock { $0.sent } }
    func forgetSent() { state.withLock { $0.sent = [] } }
    func set(_ path: String, _ bytes: [UInt8]?) { state.withLock { $0.objects[path] = bytes } }
    func object(_ path: String) -> [UInt8]? { state.withLock { $0.objects[path] } }

    func exchange(_ request: HTTPRequest, _ body: Payload?) -> HTTPOutcome {
        let content = body.map { Array($0.bytes) }
        return state.withLock { state in
            let headers = Dictionary(request.headers.map { ($0.name, $0.value) }) { $1 }
            state.sent.append(Sent(method: request.method.rawValue, url: request.url, headers: headers))
            let fate = state.script.isEmpty ? .served : state.script.removeFirst()
            switch fate {
            case .notConnected: return .notConnected(reason: "no route")
            case .notTrusted: return .notTrusted(reason: "self-signed")
            case .requestLost: return .broken(reason: "reset")
            case .answered(let answer): return .answered(answer)
            case .served, .answerLost:
                let answer = serve(request, headers, content, &state)
                if case .answerLost = fate { return .broken(reason: "reset") }
                if answer.content.count > request.capacity { return .tooLong(status: answer.status) }
                return .answered(answer)
            }
        }
    }

    private func serve(
        _ request: HTTPRequest, _ headers: [String: String], _ body: [UInt8]?, _ state: inout State
    ) -> HTTPAnswer {
        let path = String(request.url.prefix { $0 != "?" })
        let object = state.objects[path]
        switch request.method {
        case .put:
            if knowsConditions, headers["if-none-match"] == "*", object != nil {
                return HTTPAnswer(status: 412, problem: Array("<Error><Code>PreconditionFailed</Code></Error>".utf8))
            }
            state.objects[path] = body ?? []
            return HTTPAnswer(status: 200)
        case .delete:
            state.objects[path] = nil
            return HTTPAnswer(status: 204)
        case .head:
            guard let object else { return HTTPAnswer(status: 404) }
            return HTTPAnswer(status: 200, announced: UInt64(object.count))
        case .get where request.url.contains("list-type=2"):
            return HTTPAnswer(status: 200, content: Array("<ListBucketResult/>".utf8))
        case .get:
            guard let object else {
                return HTTPAnswer(status: 404, problem: Array("<Error><Code>NoSuchKey</Code></Error>".utf8))
            }
            guard knowsRanges else { return HTTPAnswer(status: 200, content: object) }
            let ends = (headers["range"] ?? "").dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
            guard ends.count == 2, ends[0] < object.count else { return HTTPAnswer(status: 416) }
            return HTTPAnswer(status: 206, content: Array(object[ends[0]..<min(ends[1] + 1, object.count)]))
        case .post: return HTTPAnswer(status: 501)
        }
    }
}
