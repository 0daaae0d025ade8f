package import Platform
package import Sealing

extension RecordBody {
    func encode(to encoder: inout CanonicalEncoder) {
        switch self {
        case .genesis(let charter, let site):
            encoder.byte(0)
            charter.encode(to: &encoder)
            encoder.raw(site.bytes)
        case .commit(let commit):
            encoder.byte(1)
            commit.encode(to: &encoder)
        case .forget(let snapshots):
            encoder.byte(2)
            encoder.list(snapshots) { $0.digest($1) }
        case .condemn(let objects, let counted):
            encoder.byte(3)
            objects.encode(to: &encoder)
            encoder.number(counted)
        case .relocate(let relocations, let counted):
            encoder.byte(4)
            encoder.list(relocations) {
                $0.digest($1.root)
                $0.list($1.objects) { $1.encode(to: &$0) }
            }
            encoder.number(counted)
        case .collected(let objects):
            encoder.byte(5)
            objects.encode(to: &encoder)
        case .damaged(let objects):
            encoder.byte(6)
            objects.encode(to: &encoder)
        case .claim(let claim, let scope):
            encoder.byte(7)
            encoder.identifier(claim)
            scope.encode(to: &encoder)
        case .release(let claim):
            encoder.byte(8)
            encoder.identifier(claim)
        case .statement(let statement):
            encoder.byte(9)
            statement.encode(to: &encoder)
        case .checkpoint(let name, let state):
            encoder.byte(10)
            name.encode(to: &encoder)
            encoder.number(state)
        case .void(let number, let hash):
            encoder.byte(11)
            encoder.number(number)
            encoder.digest(hash)
        case .closeLean(let template, let snapshot):
            encoder.byte(12)
            encoder.digest(template.digest)
            encoder.digest(snapshot)
        case .reseal(let statement, let objects):
            encoder.byte(13)
            statement.encode(to: &encoder)
            encoder.list(objects) { $1.encode(to: &$0) }
        }
    }

    package init(from decoder: inout CanonicalDecoder) throws(Failure) {
        switch try decoder.byte() {
        case 0:
            self = .genesis(
                charter: try Statement(from: &decoder),
                site: VerifyingKey(bytes: try decoder.raw(VerifyingKey.byteCount)))
        case 1: self = .commit(try Commit(from: &decoder))
        case 2: self = .forget(try Self.digests(&decoder))
        case 3: self = .condemn(try Listing(from: &decoder), counted: try decoder.number())
        case 4:
            self = .relocate(
                try decoder.list(smallest: 33) { (inner: inout CanonicalDecoder) throws(Failure) in
                    Relocation(
                        root: try inner.digest(),
                        objects: try inner.list(smallest: ObjectRef.smallest) {
                            (innermost: inout CanonicalDecoder) throws(Failure) in try ObjectRef(from: &innermost)
                        })
                }, counted: try decoder.number())
        case 5: self = .collected(try Listing(from: &decoder))
        case 6: self = .damaged(try Listing(from: &decoder))
        case 7: self = .claim(try decoder.identifier(), try ClaimScope(from: &decoder))
        case 8: self = .release(try decoder.identifier())
        case 9: self = .statement(try Statement(from: &decoder))
        case 10: self = .checkpoint(try ObjectName(from: &decoder), state: try decoder.number())
        case 11: self = .void(try decoder.number(), hash: try decoder.digest())
        case 12: self = .closeLean(template: RepositoryID(digest: try decoder.digest()), snapshot: try decoder.digest())
        case 13:
            self = .reseal(
                try Statement(from: &decoder),
                try decoder.list(atMost: Statement.mostResealed, smallest: ObjectRef.smallest) {
                    (inner: inout CanonicalDecoder) throws(Failure) in try ObjectRef(from: &inner)
                })
        default: throw decoder.malformed("a record of an unknown kind")
        }
    }

    static func digests(_ decoder: inout CanonicalDecoder) throws(Failure) -> [Digest] {
        try decoder.list(smallest: Digest.byteCount) { (inner: inout CanonicalDecoder) throws(Failure) in
            try inner.digest()
        }
    }
}

extension RecordBody.Commit {
    func encode(to encoder: inout CanonicalEncoder) {
        origin.encode(to: &encoder)
        encoder.identifier(session)
        manifest.encode(to: &encoder)
        encoder.string(clear)
        objects.encode(to: &encoder)
    }

    init(from decoder: inout CanonicalDecoder) throws(Failure) {
        origin = try Origin(from: &decoder)
        session = try decoder.identifier()
        manifest = try ObjectRef(from: &decoder)
        clear = try decoder.string(atMost: Record.largest)
        objects = try Listing(from: &decoder)
    }
}

extension RecordBody.Commit.Origin {
    func encode(to encoder: inout CanonicalEncoder) {
        switch self {
        case .native: encoder.byte(0)
        case .copied(let vault, let record, let hash):
            encoder.byte(1)
            encoder.identifier(vault)
            encoder.number(record)
            encoder.digest(hash)
        }
    }

    init(from decoder: inout CanonicalDecoder) throws(Failure) {
        switch try decoder.byte() {
        case 0: self = .native
        case 1:
            self = .copied(
                try decoder.identifier(), record: try decoder.number(), hash: try decoder.digest())
        default: throw decoder.malformed("a commit of an unknown origin")
        }
    }
}

extension RecordBody.ClaimScope {
    func encode(to encoder: inout CanonicalEncoder) {
        switch self {
        case .session(let session):
            encoder.byte(1)
            encoder.identifier(session)
        case .read(let snapshot):
            encoder.byte(2)
            encoder.digest(snapshot)
        case .machine(let snapshot):
            encoder.byte(3)
            encoder.digest(snapshot)
        case .lean(let tenant, let snapshot):
            encoder.byte(4)
            encoder.digest(tenant.digest)
            encoder.digest(snapshot)
        }
    }

    init(from decoder: inout CanonicalDecoder) throws(Failure) {
        switch try decoder.byte() {
        case 1: self = .session(try decoder.identifier())
        case 2: self = .read(try decoder.digest())
        case 3: self = .machine(try decoder.digest())
        case 4: self = .lean(tenant: RepositoryID(digest: try decoder.digest()), snapshot: try decoder.digest())
        default: throw decoder.malformed("a claim of an unknown kind")
        }
    }
}
