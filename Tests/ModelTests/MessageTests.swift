import Model
import Platform
import Testing

@Suite struct MessageTests {
    static let vault = String(repeating: "0f", count: 16)

    static func place() throws -> RepositoryPlace {
        RepositoryPlace(
            tenant: try .init("harbour-trading"), repository: Digest.zero.hex, vaultID: vault,
            head: LogHead(number: 7, hash: Digest.zero.hex))
    }

    static func everyWork() throws -> [Work] {
        [
            .initialiseRepository(
                InitialiseRepositoryWork(
                    repository: try place(), charter: Octets([1, 2]), siteCertificate: Octets([3]), slot: nil)),
            .backup(
                BackupWork(repository: try place(), desktop: try .init("d"), diskImage: "/d.img", folders: ["/文件"])),
            .replicate(
                ReplicateWork(
                    repository: try place(), peer: try .init("hk-alc"), peerAgent: try .init("a"),
                    peerAddress: "https://h:1", peerVaultID: vault, peerHead: nil)),
            .restore(
                RestoreWork(
                    repository: try place(), desktop: try .init("d"), snapshot: "abcdef01", what: .files,
                    include: ["a/b"],
                    target: "/restored")),
            .recover(
                RecoverWork(
                    repository: try place(), run: try .init("r"), desktop: try .init("d"), snapshot: "abcdef01",
                    machine: MachineProfile(ports: [22]), probe: Probe(readyLine: "ready", port: 22), accelerator: .tcg)
            ),
            .stopMachine(StopMachineWork(run: try .init("r"), desktop: try .init("d"))),
            .check(CheckWork(repository: try place(), readData: true)),
        ]
    }

    @Test func everyKindOfWorkComesBackAsItWasSent() throws {
        let works = try Self.everyWork()
        #expect(Set(works.map(\.kind)) == Set(Work.Kind.allCases))
        for work in works {
            let assignment = Assignment(job: try .init("job-1"), term: 3, leaseSeconds: 30, work: work, grant: nil)
            let bytes = try CanonicalJSON.encode(assignment)
            #expect(try CanonicalJSON.decode(Assignment.self, from: bytes, wrong: .usage) == assignment)
            #expect(try CanonicalJSON.encode(assignment) == bytes)
            try assignment.check()
        }
    }

    @Test func anUnknownKindOfWorkIsRefusedWithWords() throws {
        let text = #"{"job":"j","term":1,"leaseSeconds":30,"work":{"kind":"defragment","details":{}}}"#
        let failure = #expect(throws: Failure.self) {
            try CanonicalJSON.decode(Assignment.self, from: text, wrong: .refused)
        }
        #expect(failure?.code == .refused)
        #expect(failure?.what.contains("defragment") == true)
    }

    @Test func whatIsNotOursIsNamedByItsField() throws {
        let failure = #expect(throws: Failure.self) {
            try CanonicalJSON.decode(LeasedJob.self, from: #"{"job":"j","term":"one"}"#, wrong: .usage)
        }
        #expect(failure?.what.contains("term") == true)
        let id = #expect(throws: Failure.self) {
            try CanonicalJSON.decode(LeasedJob.self, from: #"{"job":"../etc","term":1}"#, wrong: .usage)
        }
        #expect(id?.what.contains("../etc") == true)
    }

    @Test func longBodiesAreRefusedBeforeTheyAreParsed() {
        let bytes = [UInt8](repeating: UInt8(ascii: "["), count: CanonicalJSON.longest + 1)
        let failure = #expect(throws: Failure.self) {
            try CanonicalJSON.decode([String].self, from: bytes, wrong: .usage)
        }
        #expect(failure?.what.contains("longer") == true)
    }

    @Test func messagesOfAnotherVersionAreRefused() throws {
        let text = #"{"version":9,"working":[],"room":1,"seconds":1,"program":"x"}"#
        let poll = try CanonicalJSON.decode(PollRequest.self, from: text, wrong: .usage)
        #expect(throws: Failure(.refused, "")) { try poll.check() }
    }

    @Test(arguments: ["", "-a", "a-", "A", "a b", "a/b", "..", "é", String(repeating: "a", count: 64)])
    func idsHaveOneSpelling(_ text: String) {
        #expect(throws: Failure(.usage, "")) { try Site.ID(text) }
    }

    @Test(arguments: ["relative", "/a/../b", "/a\u{0}b", ""]) func pathsThatWanderAreRefused(_ path: String) throws {
        let work = RestoreWork(
            repository: try Self.place(), desktop: try .init("d"), snapshot: "abcdef01", what: .disk, include: [],
            target: path)
        #expect(throws: Failure(.usage, "")) { try work.check() }
    }

    @Test func secretsAreNotDescribed() throws {
        let secret = [UInt8](repeating: 0x5A, count: 32)
        let keys = GrantedKeys(
            charter: Octets([1]), writerSecret: Octets(secret), author: "00", certificate: Octets([2]),
            readers: [.init(generation: 1, publicKey: Octets([3]), secret: Octets(secret))])
        let token = IssuedToken(
            token: "bwe-secret", authority: "00", site: try .init("s"), agent: try .init("a"),
            expires: Timestamp(seconds: 1))
        for text in ["\(keys)", "\(Octets(secret))", "\(token)"] {
            #expect(!text.contains("90") && !text.contains("5a") && !text.contains("WlpaWl") && !text.contains("bwe-"))
        }
    }

    @Test func aFailureIsCutToWhatAReportMayHold() throws {
        let long = Failure(.failed, String(repeating: "文", count: 5000))
        try WorkFailure(long, retry: true).check()
    }
}
