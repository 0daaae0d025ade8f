import Hummingbird
import Model
import NIOCore
import ObjectStore
import Platform
import Testing
import Wire

/// What a peer that lies can do to the reader: nothing but make it fail. That a true peer keeps the contract is
/// proven with the vault server, in the site agent's tests.
@Suite struct PeerStoreTests {
    private func reading<T: Sendable>(
        _ respond: @escaping Estate.Respond, _ body: @escaping @Sendable (PeerStore) throws -> T
    ) async throws -> T {
        let estate = try Estate()
        let (served, caller) = (try estate.agent("hk-alc", "a"), try estate.agent("cn-shbao", "b"))
        return try await Estate.serving(served.mutualServerConfiguration(), respond) { location in
            let store = try PeerStore(
                peer: Estate.identity("hk-alc", "a"), address: location, repository: Tenant.ID("harbour"),
                identity: caller, surroundings: .system, attempts: 1)
            do {
                let result = try await onThread { try body(store) }
                await store.close()
                return result
            } catch {
                await store.close()
                throw error
            }
        }
    }

    private func code(
        _ respond: @escaping Estate.Respond, _ body: @escaping @Sendable (PeerStore) throws -> Void
    ) async throws -> Failure.Code? {
        do {
            try await reading(respond, body)
            return nil
        } catch let failure as Failure {
            return failure.code
        }
    }

    private static func bytes(_ count: Int, _ status: HTTPResponse.Status) -> Estate.Respond {
        { _, _ in Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 1, count: count))) }
    }

    private static func key() throws -> StoreKey { try #require(StoreKey("packs/aa")) }

    @Test(arguments: [0, 9, 11, 1 << 20])
    func anAnswerOfAnotherLengthIsRefused(count: Int) async throws {
        let code = try await code(Self.bytes(count, .partialContent)) { _ = try $0.get(Self.key(), range: 0..<10) }
        #expect(code == .damaged)
    }

    @Test func aWholeObjectIsNotTakenForARange() async throws {
        let code = try await code(Self.bytes(10, .ok)) { _ = try $0.get(Self.key(), range: 0..<10) }
        #expect(code == .failed)
    }

    @Test func aPeerThatIsTooBusyIsUnreachable() async throws {
        let code = try await code(Self.bytes(0, .serviceUnavailable)) { _ = try $0.get(Self.key(), range: 0..<10) }
        #expect(code == .unreachable)
    }

    @Test(arguments: [
        #"{"objects":[{"key":"../x","length":1}]}"#, #"{"objects":[{"key":"other/x","length":1}]}"#,
        #"{"objects":[{"key":"packs/b","length":1},{"key":"packs/a","length":1}]}"#,
        #"{"objects":[{"key":"packs/a","length":1},{"key":"packs/a","length":1}]}"#,
        #"{"objects":[{"key":"packs/a","length":-1}]}"#, #"{"objects":"#, "",
    ])
    func aListingOutOfOrderOrOfNoKeysIsRefused(text: String) async throws {
        let respond: Estate.Respond = { _, _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
        #expect(try await code(respond) { _ = try $0.list(prefix: "packs/", after: nil, limit: 10) } == .damaged)
    }

    @Test func aListingWithoutEndIsRefused() async throws {
        let code = try await code(Self.bytes(VaultRoute.longestListing + 1, .ok)) {
            _ = try $0.list(prefix: "packs/", after: nil, limit: 10)
        }
        #expect(code == .damaged)
    }

    @Test func aPeersWordForItsFailureArrives() async throws {
        let respond: Estate.Respond = { _, _ in throw Failure(.damaged, "ends early") }
        #expect(try await code(respond) { _ = try $0.get(Self.key(), range: 0..<10) } == .damaged)
    }

    @Test func nothingIsWrittenToAPeer() async throws {
        let code = try await code(Self.bytes(0, .ok)) { try $0.delete(Self.key()) }
        #expect(code == .refused)
        let put = try await self.code(Self.bytes(0, .ok)) {
            try $0.put(Self.key(), [UInt8]([1]).span.bytes, use: .data)
        }
        #expect(put == .refused)
    }
}
