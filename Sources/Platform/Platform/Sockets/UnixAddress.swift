internal import Glibc

/// The address of a socket file. The kernel takes 107 bytes of path; longer ones are reached through a descriptor of
/// their folder, so that a deep state directory is no reason to fail.
enum UnixAddress {
    static let longest = 107

    /// Runs `body` with the address of `path`.
    static func with<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        if path.utf8.count <= longest { return try unsafe fill(path, body) }
        let cut = path.lastIndex(of: "/").map { path[..<$0] } ?? "."
        let folder = try Descriptor.open(cut.isEmpty ? "/" : String(cut), O_RDONLY | O_DIRECTORY)
        let last = path.split(separator: "/", omittingEmptySubsequences: true).last ?? ""
        return try unsafe fill("/proc/self/fd/\(folder.number)/\(last)", body)
    }

    private static func fill<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        guard !path.isEmpty, path.utf8.count <= longest, !path.utf8.contains(0) else {
            throw Failure(.usage, "\(path) cannot name a socket", advice: "Choose a shorter path.")
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        var outcome: Swift.Result<Result, Failure>?
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                do throws(Failure) {
                    outcome = .success(unsafe try body(pointer, socklen_t(MemoryLayout<sockaddr_un>.size)))
                } catch {
                    outcome = .failure(error)
                }
            }
        }
        guard let outcome else { throw Failure(.failed, "\(path) was not tried") }
        return try outcome.get()
    }
}
