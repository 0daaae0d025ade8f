import Catalog
import Hummingbird
import Model
import NIOCore
import Platform
import Wire

/// What operators call, with their token; and what anybody may ask for: health, the authority's certificate, and to
/// be enrolled for a token. See `OperatorRoute`.
struct OperatorRoutes {
    let coordinator: Coordinator
    let token: String
    let version: String

    /// Longest list in one answer.
    private static let page = 1000

    func router(_ problems: ProblemMiddleware) -> Router<CallContext> {
        let router = Router(context: CallContext.self)
        router.add(middleware: problems)
        open(router)
        let guarded = router.group().add(middleware: BearerCheck(token: token))
        nouns(guarded)
        jobs(guarded)
        runs(guarded)
        journal(guarded)
        return router
    }

    private func open(_ router: Router<CallContext>) {
        router.get(RouterPath(OperatorRoute.health)) { _, _ in
            // An answer means that the catalog answers too.
            _ = try await coordinator.catalog.read { try $0.sites().count }
            return try Answers.json(Health(status: "ok", version: version))
        }
        router.get(RouterPath(Enrolment.authorityRoute)) { _, _ in
            Response(
                status: .ok, headers: [.contentType: "application/x-pem-file"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: try coordinator.authorityCertificate())))
        }
        router.post(RouterPath(AgentRoute.enrol)) { request, context in
            let message = try await Answers.read(EnrolRequest.self, from: request)
            return try Answers.json(await coordinator.enrol(message, from: context.address), .created)
        }
    }

    private func nouns(_ router: RouterGroup<CallContext>) {
        list(router, OperatorRoute.sites) { reading, _ in try reading.sites() }
        one(router, OperatorRoute.sites) { reading, id in try reading.site(Site.ID(id)) }
        list(router, OperatorRoute.agents) { reading, _ in try reading.agents() }
        list(router, OperatorRoute.vaults) { reading, _ in try reading.tenantVaults() }
        list(router, OperatorRoute.tenants) { reading, _ in try reading.tenants() }
        one(router, OperatorRoute.tenants) { reading, id in try reading.tenant(Tenant.ID(id)) }
        list(router, OperatorRoute.desktops) { reading, query in
            try reading.desktops(of: query.label("tenant"))
        }
        one(router, OperatorRoute.desktops) { reading, id in try reading.desktop(Desktop.ID(id)) }
        list(router, OperatorRoute.recoveryPoints) { reading, query in
            try reading.recoveryPoints(of: query.label("desktop"), limit: query.limit(atMost: Self.page))
        }
        one(router, OperatorRoute.recoveryPoints) { reading, id in try reading.recoveryPoint(RecoveryPoint.ID(id)) }
        router.post(RouterPath(OperatorRoute.enrolmentTokens)) { request, context in
            let order = try await Answers.read(TokenOrder.self, from: request)
            return try Answers.json(await coordinator.issueToken(order, by: context.operator), .created)
        }
        router.post(RouterPath(OperatorRoute.tenants)) { request, context in
            let order = try await Answers.read(TenantOrder.self, from: request)
            let tenant = try await coordinator.create(order, by: context.operator)
            return try Answers.created(tenant, at: "\(OperatorRoute.tenants)/\(tenant.id)")
        }
        router.post(RouterPath(OperatorRoute.desktops)) { request, context in
            let order = try await Answers.read(DesktopOrder.self, from: request)
            let desktop = try await coordinator.create(order, by: context.operator)
            return try Answers.created(desktop, at: "\(OperatorRoute.desktops)/\(desktop.id)")
        }
    }

    private func jobs(_ router: RouterGroup<CallContext>) {
        list(router, OperatorRoute.jobs) { reading, query in
            try reading.jobs(
                state: query.state(), tenant: query.label("tenant"), limit: query.limit(atMost: Self.page))
        }
        router.post(RouterPath(OperatorRoute.jobs)) { request, context in
            let order = try await Answers.read(JobOrder.self, from: request)
            let job = try await coordinator.order(order, by: context.operator)
            return try Answers.accepted(job, at: "\(OperatorRoute.jobs)/\(job.id)")
        }
        router.get(RouterPath("\(OperatorRoute.jobs)/:id")) { request, context in
            let id = try Job.ID(context.parameters.require("id"))
            let query = Query(request)
            let after = try query.number("after").map { Timestamp(nanoseconds: Int64(clamping: $0)) }
            let job = try await coordinator.held(.job(id), seconds: query.seconds()) { () async throws(Failure) in
                try await coordinator.catalog.read { try $0.job(id) }
            } until: { job in
                job.state.isOver || (after.map { job.changed > $0 } ?? false)
            }
            return try Answers.json(job)
        }
        router.post(RouterPath("\(OperatorRoute.jobs)/:id/cancel")) { _, context in
            let id = try Job.ID(context.parameters.require("id"))
            return try Answers.json(await coordinator.cancel(id, by: context.operator))
        }
    }

    private func runs(_ router: RouterGroup<CallContext>) {
        list(router, OperatorRoute.recoveryRuns) { reading, query in
            try reading.recoveryRuns(limit: query.limit(atMost: Self.page))
        }
        router.post(RouterPath(OperatorRoute.recoveryRuns)) { request, context in
            let order = try await Answers.read(RecoveryOrder.self, from: request)
            let run = try await coordinator.recover(order, by: context.operator)
            return try Answers.accepted(run, at: "\(OperatorRoute.recoveryRuns)/\(run.id)")
        }
        router.get(RouterPath("\(OperatorRoute.recoveryRuns)/:id")) { request, context in
            let id = try RecoveryRun.ID(context.parameters.require("id"))
            let query = Query(request)
            let after = query.text("after")
            let run = try await coordinator.held(.run(id), seconds: query.seconds()) { () async throws(Failure) in
                try await coordinator.catalog.read { try $0.recoveryRun(id) }
            } until: { run in
                run.state == .cleanedUp || (after.map { run.state.rawValue != $0 } ?? false)
            }
            return try Answers.json(run)
        }
        router.post(RouterPath("\(OperatorRoute.recoveryRuns)/:id/cleanup")) { _, context in
            let id = try RecoveryRun.ID(context.parameters.require("id"))
            let run = try await coordinator.cleanUp(id, by: context.operator)
            return try Answers.accepted(run, at: "\(OperatorRoute.recoveryRuns)/\(run.id)")
        }
    }

    private func journal(_ router: RouterGroup<CallContext>) {
        list(router, OperatorRoute.journal) { reading, query in
            try reading.journal(
                from: query.time("from"), to: query.time("to"), after: query.number("after") ?? 0,
                limit: query.limit(atMost: Self.page))
        }
        router.get(RouterPath(OperatorRoute.verifyJournal)) { _, _ in
            try Answers.json(await coordinator.catalog.read { try $0.verifyJournal() })
        }
    }

    private func list<Item: Codable & Sendable>(
        _ router: RouterGroup<CallContext>, _ path: String,
        _ read: @escaping @Sendable (Reading, Query) throws -> [Item]
    ) {
        router.get(RouterPath(path)) { request, _ in
            let query = Query(request)
            return try Answers.json(Listing(items: await coordinator.catalog.read { try read($0, query) }))
        }
    }

    private func one<Item: Codable & Sendable>(
        _ router: RouterGroup<CallContext>, _ path: String, _ read: @escaping @Sendable (Reading, String) throws -> Item
    ) {
        router.get(RouterPath("\(path)/:id")) { _, context in
            let id = try context.parameters.require("id")
            return try Answers.json(await coordinator.catalog.read { try read($0, id) })
        }
    }
}
