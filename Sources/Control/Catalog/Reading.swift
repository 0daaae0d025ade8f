import GRDB
package import Model
import Platform

/// One consistent state of the catalog, for as long as the closure runs that it was given to.
package struct Reading {
    let database: Database

    init(_ database: Database) { self.database = database }

    func one<Value: Decodable>(
        _ type: Value.Type, _ sql: String, _ arguments: StatementArguments = StatementArguments()
    ) throws -> Value? {
        try String.fetchOne(database, sql: sql, arguments: arguments).map(decode)
    }

    func all<Value: Decodable>(
        _ type: Value.Type, _ sql: String, _ arguments: StatementArguments = StatementArguments()
    ) throws -> [Value] {
        try String.fetchAll(database, sql: sql, arguments: arguments).map(decode)
    }

    private func decode<Value: Decodable>(_ text: String) throws(Failure) -> Value {
        do { return try CanonicalJSON.decode(Value.self, from: text, wrong: .damaged) } catch {
            throw error.during("a row of the catalog")
        }
    }
}

extension Reading {
    package func sites() throws -> [Site] { try all(Site.self, "SELECT body FROM sites ORDER BY id") }

    package func site(_ id: Site.ID) throws -> Site {
        try found(one(Site.self, "SELECT body FROM sites WHERE id = ?", [id.text]), "site", id.text)
    }

    package func tenants() throws -> [Tenant] { try all(Tenant.self, "SELECT body FROM tenants ORDER BY id") }

    package func tenant(_ id: Tenant.ID) throws -> Tenant {
        try found(one(Tenant.self, "SELECT body FROM tenants WHERE id = ?", [id.text]), "tenant", id.text)
    }

    /// The tenant's keys as the keyring has wrapped them.
    package func wrappedKeys(of tenant: Tenant.ID) throws -> [UInt8] {
        let row = try Row.fetchOne(
            database, sql: "SELECT sealed FROM wrappedKeys WHERE tenant = ?", arguments: [tenant.text])
        guard let row, let sealed: DataBytes = row["sealed"] else {
            throw Failure(.notFound, "There are no keys of tenant \(tenant)")
        }
        return sealed.bytes
    }

    package func tenantVaults() throws -> [TenantVault] {
        try all(TenantVault.self, "SELECT body FROM tenantVaults ORDER BY tenant, site")
    }

    package func tenantVault(_ tenant: Tenant.ID, at site: Site.ID) throws -> TenantVault {
        let vault = try one(
            TenantVault.self, "SELECT body FROM tenantVaults WHERE tenant = ? AND site = ?", [tenant.text, site.text])
        guard let vault else {
            throw Failure(
                .notFound, "Tenant \(tenant) has no repository at site \(site)",
                advice: "Name the site when the tenant is made")
        }
        return vault
    }

    package func desktops(of tenant: Tenant.ID?) throws -> [Desktop] {
        try all(
            Desktop.self, "SELECT body FROM desktops WHERE ?1 IS NULL OR tenant = ?1 ORDER BY id", [tenant?.text])
    }

    package func desktop(_ id: Desktop.ID) throws -> Desktop {
        try found(one(Desktop.self, "SELECT body FROM desktops WHERE id = ?", [id.text]), "desktop", id.text)
    }

    package func agents() throws -> [EnrolledAgent] {
        try all(EnrolledAgent.self, "SELECT body FROM agents ORDER BY id")
    }

    package func findAgent(_ id: EnrolledAgent.ID) throws -> EnrolledAgent? {
        try one(EnrolledAgent.self, "SELECT body FROM agents WHERE id = ?", [id.text])
    }

    /// The site's agent in service, the one heard last where there are several.
    package func agent(at site: Site.ID) throws -> EnrolledAgent {
        let agents = try all(EnrolledAgent.self, "SELECT body FROM agents WHERE site = ? ORDER BY id", [site.text])
        guard
            let agent = agents.filter({ $0.state == .active }).max(by: {
                ($0.lastSeen ?? $0.enrolled) < ($1.lastSeen ?? $1.enrolled)
            })
        else { throw Failure(.notFound, "No agent has enrolled at site \(site)", advice: "Enrol one with a token") }
        return agent
    }

    func found<Value>(_ value: Value?, _ noun: String, _ id: String) throws(Failure) -> Value {
        guard let value else { throw Failure(.notFound, "There is no \(noun) \"\(id)\"") }
        return value
    }
}
