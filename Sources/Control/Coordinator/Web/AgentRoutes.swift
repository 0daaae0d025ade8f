import Hummingbird
import Model
import Platform

/// What enrolled agents call, over mutual TLS. See `AgentRoute`.
struct AgentRoutes {
    let coordinator: Coordinator

    func router(_ problems: ProblemMiddleware) -> Router<CallContext> {
        let router = Router(context: CallContext.self)
        router.add(middleware: problems)
        router.add(middleware: CertificateCheck(coordinator: coordinator))
        router.post(RouterPath(AgentRoute.poll)) { request, context in
            let message = try await Answers.read(PollRequest.self, from: request)
            return try Answers.json(
                await coordinator.poll(message, by: caller(context), from: context.address))
        }
        router.post(RouterPath(AgentRoute.heartbeat)) { request, context in
            let message = try await Answers.read(HeartbeatRequest.self, from: request)
            return try Answers.json(
                await coordinator.heartbeat(message, by: caller(context), from: context.address))
        }
        router.post(RouterPath(AgentRoute.report)) { request, context in
            // A list of findings may be long.
            let message = try await Answers.read(ReportRequest.self, from: request, limit: CanonicalJSON.longest)
            return try Answers.json(
                await coordinator.report(message, by: caller(context), from: context.address))
        }
        return router
    }

    private func caller(_ context: CallContext) throws(Failure) -> EnrolledAgent {
        guard let agent = context.agent else { throw Failure(.refused, "The caller is no agent") }
        return agent
    }
}
