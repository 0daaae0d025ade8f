package import Platform

/// The addresses of the operators' interface: plural nouns, a bearer token, JSON. Lists answer with `Listing`.
///
/// - `GET /v1/health`                                         -> `Health` (no token needed)
/// - `GET /v1/sites`, `/v1/sites/<id>`                        -> `Site`
/// - `GET /v1/agents`                                         -> `EnrolledAgent`
/// - `POST /v1/enrolment-tokens` `TokenOrder`                 -> 201 `IssuedToken`
/// - `POST /v1/tenants` `TenantOrder`                         -> 201 `Tenant`; GET list and one
/// - `POST /v1/desktops` `DesktopOrder`                       -> 201 `Desktop`; GET list (`?tenant=`) and one
/// - `GET /v1/vaults`                                         -> `TenantVault`
/// - `GET /v1/recovery-points?desktop=`, `/<id>`              -> `RecoveryPoint`
/// - `POST /v1/jobs` `JobOrder`                               -> 202 `Job`; GET list (`?state=&tenant=&limit=`) and one
/// - `POST /v1/jobs/<id>/cancel`                              -> `Job`
/// - `GET /v1/jobs/<id>?wait=<seconds>&after=<changed>`       -> `Job`, held until it changes
/// - `POST /v1/recovery-runs` `RecoveryOrder`                 -> 202 `RecoveryRun`; GET list and one (also with `wait`)
/// - `POST /v1/recovery-runs/<id>/cleanup`                    -> 202 `RecoveryRun`
/// - `GET /v1/journal?from=<ns>&to=<ns>&after=<sequence>&limit=` -> `JournalEntry`
/// - `GET /v1/journal/verify`                                 -> `JournalVerdict`
package enum OperatorRoute {
    package static let health = "/v1/health"
    package static let sites = "/v1/sites"
    package static let agents = "/v1/agents"
    package static let enrolmentTokens = "/v1/enrolment-tokens"
    package static let tenants = "/v1/tenants"
    package static let desktops = "/v1/desktops"
    package static let vaults = "/v1/vaults"
    package static let recoveryPoints = "/v1/recovery-points"
    package static let jobs = "/v1/jobs"
    package static let recoveryRuns = "/v1/recovery-runs"
    package static let journal = "/v1/journal"
    package static let verifyJournal = "/v1/journal/verify"
}

/// A page of a list.
package struct Listing<Item: Codable & Sendable>: Codable, Sendable {
    package var items: [Item]
    package init(items: [Item]) { self.items = items }
}

package struct Health: Codable, Sendable {
    package var status: String
    package var version: String
    package init(status: String, version: String) {
        self.status = status
        self.version = version
    }
}

/// Lets one agent enrol at a site, once.
package struct TokenOrder: Codable, Sendable, Checked {
    package var site: Site.ID
    package var agent: EnrolledAgent.ID
    /// How long the token is good.
    package var minutes: Int

    package init(site: Site.ID, agent: EnrolledAgent.ID, minutes: Int = 60) {
        self.site = site
        self.agent = agent
        self.minutes = minutes
    }

    package func check() throws(Failure) {
        guard (1...(7 * 24 * 60)).contains(minutes) else {
            throw Failure(.usage, "A token for \(minutes) minutes", advice: "Ask for 1 minute to 7 days")
        }
    }
}

/// Shown once; only a hash of it is kept.
package struct IssuedToken: Codable, Sendable, CustomStringConvertible {
    package var token: String
    /// SHA-256 of the authority's certificate in DER, hexadecimal: the agent trusts no other.
    package var authority: String
    package var site: Site.ID
    package var agent: EnrolledAgent.ID
    package var expires: Timestamp

    package init(token: String, authority: String, site: Site.ID, agent: EnrolledAgent.ID, expires: Timestamp) {
        self.token = token
        self.authority = authority
        self.site = site
        self.agent = agent
        self.expires = expires
    }

    package var description: String { "enrolment token for \(agent) at \(site)" }
}

/// A new customer: their keys are made, and their repository in the vault of every site named.
package struct TenantOrder: Codable, Sendable, Checked {
    package var id: Tenant.ID
    package var title: String
    package var sites: [Site.ID]

    package init(id: Tenant.ID, title: String, sites: [Site.ID]) {
        self.id = id
        self.title = title
        self.sites = sites
    }

    package func check() throws(Failure) {
        try Bounds.text(title, "A tenant's title", atMost: Bounds.title)
        guard !sites.isEmpty, sites.count <= 16, Set(sites).count == sites.count else {
            throw Failure(.usage, "A tenant needs 1 to 16 different sites")
        }
    }
}

package struct DesktopOrder: Codable, Sendable, Checked {
    package var id: Desktop.ID
    package var tenant: Tenant.ID
    package var title: String
    package var site: Site.ID
    package var diskImage: String?
    package var folders: [String]
    package var machine: MachineProfile

    package init(
        id: Desktop.ID, tenant: Tenant.ID, title: String, site: Site.ID, diskImage: String?, folders: [String],
        machine: MachineProfile
    ) {
        self.id = id
        self.tenant = tenant
        self.title = title
        self.site = site
        self.diskImage = diskImage
        self.folders = folders
        self.machine = machine
    }

    package func desktop(created: Timestamp) -> Desktop {
        Desktop(
            id: id, tenant: tenant, title: title, site: site, diskImage: diskImage, folders: folders, machine: machine,
            created: created)
    }

    package func check() throws(Failure) { try desktop(created: Timestamp(nanoseconds: 0)).check() }
}

/// What an operator asks for: `{"kind": "backup", "desktop": "..."}`; which fields count depends on the kind.
package struct JobOrder: Codable, Sendable, Checked {
    /// `backup`, `replicate`, `restore`, `check`, or `initialiseRepository` once more.
    package var kind: Work.Kind
    /// Given by the caller: the same order sent twice makes one job.
    package var id: Job.ID?
    /// backup; restore of the newest point.
    package var desktop: Desktop.ID?
    /// replicate, check.
    package var tenant: Tenant.ID?
    /// Where to work: replicate (the site that pulls), check, restore.
    package var site: Site.ID?
    /// restore: this point rather than the newest with a copy at the site.
    package var recoveryPoint: RecoveryPoint.ID?
    package var what: RestoreWork.What?
    package var include: [String]?
    package var target: String?
    /// check.
    package var readData: Bool?

    package init(
        kind: Work.Kind, id: Job.ID? = nil, desktop: Desktop.ID? = nil, tenant: Tenant.ID? = nil, site: Site.ID? = nil,
        recoveryPoint: RecoveryPoint.ID? = nil, what: RestoreWork.What? = nil, include: [String]? = nil,
        target: String? = nil, readData: Bool? = nil
    ) {
        self.kind = kind
        self.id = id
        self.desktop = desktop
        self.tenant = tenant
        self.site = site
        self.recoveryPoint = recoveryPoint
        self.what = what
        self.include = include
        self.target = target
        self.readData = readData
    }

    package func check() throws(Failure) {
        try Bounds.list(include?.count ?? 0, "Paths to restore")
        for path in include ?? [] { try Bounds.text(path, "A path to restore", atMost: Bounds.path) }
        if let target { try Bounds.absolutePath(target, "The restore's target") }
    }
}

/// Starts an unplanned recovery: the desktop's own site is taken as lost.
package struct RecoveryOrder: Codable, Sendable, Checked {
    package var id: RecoveryRun.ID?
    package var desktop: Desktop.ID
    package var site: Site.ID
    /// The newest with a copy at the site when nil.
    package var recoveryPoint: RecoveryPoint.ID?
    package var probe: Probe

    package init(
        id: RecoveryRun.ID? = nil, desktop: Desktop.ID, site: Site.ID, recoveryPoint: RecoveryPoint.ID? = nil,
        probe: Probe
    ) {
        self.id = id
        self.desktop = desktop
        self.site = site
        self.recoveryPoint = recoveryPoint
        self.probe = probe
    }

    package func check() throws(Failure) { try probe.check() }
}
