package import Browse
package import Platform
import Repository

/// Snapshots mounted as a read-only file system: from its making until it is unmounted or stopped, after which nothing
/// is left at the place.
///
/// 1. The place is mounted; requests come over the channel.
/// 2. Several threads take a request each, answer it, and take the next.
/// 3. One more asks the kernel to forget files when it holds too many.
/// 4. When the mount goes, by whomever, or `stop` is called, all of them end, and what is left of it is taken away.
package final class MountSession: Sendable {
    private let channel: FuseChannel
    private let responder: FuseResponder
    private let limits: MountLimits

    /// A request of this version with room to spare; the kernel insists on some.
    private static let longestRequest = 64 << 10
    /// FUSE_NOTIFY_INVAL_ENTRY
    private static let forgetEntry: UInt32 = 3

    /// - Parameter complain: told, from several threads, of what could not be read.
    /// - Throws: what `FuseChannel` throws.
    package init(
        _ shape: SnapshotMenu.Shape, _ readers: Readers, at path: [UInt8], limits: MountLimits = MountLimits(),
        complain: @escaping @Sendable (String) -> Void
    ) throws(Failure) {
        self.limits = limits
        responder = FuseResponder(shape, readers, limits: limits, complain: complain)
        channel = try FuseChannel(at: path)
    }

    /// Serves until the mount goes or `stop` is called.
    package func run() throws {
        let nodes = responder.tree.nodes
        let trimmer = EngineThread(name: "mount-trim") { self.trim() }
        defer {
            nodes.end()
            trimmer.join()
            channel.unmount()
        }
        try Workers.concurrently(limits.workers) { _ in
            defer { channel.stop() }
            try serve()
        }
    }

    /// Ends `run`, from any thread.
    package func stop() { channel.stop() }

    /// Files that the kernel holds now.
    package var held: Int { responder.tree.nodes.count }

    private func serve() throws(Failure) {
        var buffer = [UInt8](repeating: 0, count: Self.longestRequest)
        while true {
            var problem: Failure?
            let count = unsafe buffer.withUnsafeMutableBytes { bytes -> Int? in
                do throws(Failure) {
                    return try unsafe channel.receive(into: bytes)
                } catch {
                    problem = error
                    return nil
                }
            }
            if let problem { throw problem }
            guard let count else { return }
            if let (head, body) = responder.answer(buffer[..<count]) { channel.send(head, body) }
        }
    }

    private func trim() {
        let tree = responder.tree
        while let nodes = tree.nodes.surplus() {
            for node in nodes {
                guard let parent = node.parent, let name = try? tree.entry(of: node)?.name else { continue }
                var body = FuseFields()
                body.number64(parent.number)
                body.number32(UInt32(name.count))
                body.number32(0)
                body.raw(name)
                body.raw([0])
                var head = FuseFields()
                head.number32(UInt32(FuseAnswer.headerByteCount + body.bytes.count))
                head.number32(Self.forgetEntry)
                head.number64(0)
                channel.send(head.bytes, body.bytes[...])
            }
        }
    }
}
