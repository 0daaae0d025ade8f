package import Model
package import Platform

/// An enrolled agent's side of the conversation with the coordinator: it asks, the coordinator only answers.
///
/// Each call is tried once. A poll and a heartbeat may be repeated as they are, and so may a report: it counts once.
package struct AgentClient: Sendable {
    private let exchange: Exchange

    /// - Parameter coordinator: `https://host:port` of the listener for agents.
    package init(coordinator: String, identity: TLSIdentity) throws(Failure) {
        exchange = try Exchange(coordinator, tls: identity.clientConfiguration(), connections: 4)
    }

    package func poll(_ request: PollRequest) async throws(Failure) -> PollResponse {
        let response: PollResponse = try await exchange.post(
            AgentRoute.poll, request, seconds: Int64(request.seconds) + 15)
        try response.check()
        return response
    }

    package func heartbeat(_ request: HeartbeatRequest) async throws(Failure) -> HeartbeatResponse {
        try await exchange.post(AgentRoute.heartbeat, request, seconds: 10)
    }

    /// - Throws: `.refused` when the term is no longer the job's: the work belongs to somebody else now.
    package func report(_ request: ReportRequest) async throws(Failure) -> ReportResponse {
        try await exchange.post(AgentRoute.report, request, seconds: 30)
    }

    package func close() async { await exchange.close() }
}

extension Exchange {
    /// Sends JSON and reads JSON; anything but success comes out as the failure that the problem details name.
    func post<Reply: Decodable>(
        _ path: String, _ message: some Encodable & Sendable, headers: [(String, String)] = [], seconds: Int64 = 30
    ) async throws(Failure) -> Reply {
        let body = try CanonicalJSON.encode(message)
        return try await json(
            Call(
                .post, path, headers: headers + [("content-type", "application/json")], body: body,
                limit: CanonicalJSON.longest, seconds: seconds))
    }

    func json<Reply: Decodable>(_ call: Call) async throws(Failure) -> Reply {
        let answer = try await send(call)
        guard (200..<300).contains(answer.status) else {
            throw Problem.failure(status: answer.status, body: answer.body, from: location)
        }
        do {
            return try CanonicalJSON.decode(Reply.self, from: answer.body, wrong: .damaged, limit: call.limit)
        } catch {
            throw error.during("The answer of \(location)")
        }
    }
}
