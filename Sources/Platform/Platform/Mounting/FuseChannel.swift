internal import CLinux
internal import Glibc
internal import Synchronization

/// A mount of our own and the device over which the kernel asks for what is in it (fuse(4)): requests come in, answers
/// go out. Read-only, without devices and set-user-id programs, for this user alone.
///
/// The mount goes when the channel is closed, and when the process ends in any way: a guard, a process of its own,
/// takes away what is left. Safe to use from several threads.
package final class FuseChannel: Sendable {
    /// Where it is mounted.
    package let path: [UInt8]
    private let device: Int32
    private let guardian: linux_mount_guard
    /// The helper that mounted it; nil when we did.
    private let helper: String?
    /// Its far end is closed to wake everybody who waits for a request.
    private let waking: (read: Int32, write: Int32)
    private let isOpen = Atomic<Bool>(true)
    private let isMounted = Atomic<Bool>(true)

    private static let devicePath = "/dev/fuse"
    private static let helperName = "fusermount3"

    /// Whether this machine could mount at all; the reason when it could not.
    package static var obstacle: String? {
        let number = unsafe open(devicePath, O_RDWR | O_CLOEXEC)
        guard number >= 0 else { return "\(devicePath): \(String(systemError: errno))" }
        _ = close(number)
        return nil
    }

    /// Mounts at an empty directory.
    /// - Throws: `.notFound`; `.refused` when it is no empty directory or this user may not mount; `.failed` where the
    ///   kernel has no FUSE.
    package init(at path: [UInt8]) throws(Failure) {
        let label = String(decoding: path, as: UTF8.self)
        try Self.requireEmpty(path, label)
        helper = geteuid() == 0 ? nil : try Self.findHelper()
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .system(errno, "cannot make a pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        waking = (ends[0], ends[1])
        var guardian = linux_mount_guard()
        let helper = helper
        let isGuarded = unsafe Name.with(path) { place in
            unsafe Self.withOptional(helper) { unsafe linux_guard_mount(place, $0, &guardian) }
        }
        self.guardian = guardian
        let device = isGuarded < 0 ? isGuarded : Self.mount(path, helper)
        self.device = device
        self.path = path
        guard device >= 0 else {
            if isGuarded == 0 { unsafe linux_end_guard(&guardian) }
            _ = close(ends[0])
            _ = close(ends[1])
            throw Self.failure(-device, label, helper)
        }
    }

    private static func mount(_ path: [UInt8], _ helper: String?) -> Int32 {
        if let helper {
            return unsafe Name.with(path) { place in
                unsafe linux_fuse_mount_by(
                    helper, place, "ro,nosuid,nodev,noatime,fsname=breakwater,subtype=breakwater")
            }
        }
        let device = unsafe open(devicePath, O_RDWR | O_CLOEXEC | O_NONBLOCK)
        if device < 0 { return -errno }
        let result = unsafe Name.with(path) { unsafe linux_fuse_mount(device, $0, getuid(), getgid()) }
        if result < 0 { _ = Glibc.close(device) }
        return result < 0 ? result : device
    }

    private static func requireEmpty(_ path: [UInt8], _ label: String) throws(Failure) {
        guard unsafe Name.with(path, { unsafe linux_mount_is_dead($0) }) == 0 else {
            throw Failure(
                .refused, "a mount at \(label) lost the program behind it",
                advice: "Take it away with `umount \(label)`, and mount again.")
        }
        guard try Directory(at: path).entries().isEmpty else {
            throw Failure(
                .refused, "\(label) is not empty, and a mount would hide what is in it",
                advice: "Name an empty directory.")
        }
    }

    private static func findHelper() throws(Failure) -> String {
        for folder in ["/usr/bin", "/bin", "/usr/local/bin"] {
            let candidate = "\(folder)/\(helperName)"
            if unsafe access(candidate, X_OK) == 0 { return candidate }
        }
        throw Failure(
            .refused, "only root may mount without \(helperName)",
            advice: "Install Debian's package fuse3, or restore instead.")
    }

    private static func failure(_ number: Int32, _ label: String, _ helper: String?) -> Failure {
        switch number {
        case ENOENT, ENODEV, ENXIO:
            Failure(
                .failed, "this machine has no FUSE: \(devicePath) cannot be used",
                advice: "`modprobe fuse` makes it, where the kernel has it; restore and export work without it.")
        case EPERM, EACCES:
            Failure(
                .refused, "mounting at \(label) is not allowed",
                advice: helper == nil
                    ? "A container needs the right to mount, and \(devicePath)."
                    : "\(helperName) refused it; the directory has to be yours.")
        default: .system(number, "cannot mount at \(label)")
        }
    }

    deinit {
        unmount()
        _ = Glibc.close(device)
        _ = Glibc.close(waking.read)
        stop()
        var guardian = guardian
        unsafe linux_end_guard(&guardian)
    }

    // MARK: - Requests and answers

    /// Waits for the next request; its length, or nil when the mount is gone or `stop` was called.
    package func receive(into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int? {
        while true {
            var waits = [
                pollfd(fd: device, events: Int16(POLLIN), revents: 0),
                pollfd(fd: waking.read, events: Int16(POLLIN), revents: 0),
            ]
            if unsafe poll(&waits, 2, -1) < 0 {
                if errno == EINTR { continue }
                throw .system(errno, "cannot wait for requests")
            }
            if waits[1].revents != 0 { return nil }
            let count = unsafe read(device, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            switch errno {
            // Somebody else took it; or it was called off between the two calls.
            case EAGAIN, EINTR, ENOENT: continue
            case ENODEV:
                // Nothing of ours is mounted any more, or it is dead, and the guard takes it away.
                isMounted.store(false, ordering: .relaxed)
                return nil
            default: throw .system(errno, "cannot read requests")
            }
        }
    }

    /// Sends an answer, in one call as the device wants it. What was called off meanwhile is nobody's any more.
    package func send(_ head: [UInt8], _ body: ArraySlice<UInt8> = []) {
        _ = unsafe head.withUnsafeBytes { head in
            unsafe body.withUnsafeBytes { body in
                var pieces = unsafe [
                    iovec(iov_base: UnsafeMutableRawPointer(mutating: head.baseAddress), iov_len: head.count),
                    iovec(iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress), iov_len: body.count),
                ]
                return unsafe writev(device, &pieces, body.isEmpty ? 1 : 2)
            }
        }
    }

    // MARK: - The end

    /// Wakes everybody who waits in `receive`.
    package func stop() {
        if isOpen.exchange(false, ordering: .relaxed) { _ = Glibc.close(waking.write) }
    }

    /// Takes the mount away; files that are open in it wait for answers until the channel is let go of, and then fail.
    package func unmount() {
        guard isMounted.exchange(false, ordering: .relaxed) else { return }
        if let helper {
            let launch = ProcessLaunch(helper, ["-u", "-q", "-z", "--", String(decoding: path, as: UTF8.self)])
            _ = try? ChildProcess.start(launch).wait(until: .after(.seconds(10)))
        } else {
            _ = unsafe Name.with(path) { unsafe linux_fuse_unmount($0) }
        }
    }

    private static func withOptional<Result>(_ text: String?, _ body: (UnsafePointer<CChar>?) -> Result) -> Result {
        guard let text else { return body(nil) }
        return unsafe text.withCString { unsafe body($0) }
    }
}
