internal import CLinux
internal import Glibc

/// An open file whose attributes are read or set: through its descriptor, or, where the file itself must not be
/// opened (symbolic links, sockets, FIFOs, devices), through a descriptor that only locates it.
///
/// Borrows the descriptor; whoever owns it keeps it open.
package struct FileAttributes {
    package struct Extended: Sendable, Equatable {
        package var name: [UInt8]
        package var value: [UInt8]
        package init(name: [UInt8], value: [UInt8]) {
            self.name = name
            self.value = value
        }
    }

    private let number: Int32
    private let isLocated: Bool
    private let label: String

    /// - Parameter located: the descriptor was opened with `Directory.locating`.
    package init(of number: Int32, located: Bool, label: String) {
        self.number = number
        isLocated = located
        self.label = label
    }

    // MARK: - Extended attributes

    /// All of them, ordered by name. Empty where the file system has none.
    package func extended() throws(Failure) -> [Extended] {
        let names = try unsafe sized("cannot list the extended attributes of \(label)") { buffer, size in
            unsafe linux_list_attributes(number, isLocated ? 1 : 0, buffer, size)
        }
        guard let names else { return [] }
        var found: [Extended] = []
        for name in names.split(separator: 0) {
            let name = Array(name)
            let value = try unsafe sized("cannot read the extended attribute \(Self.text(name)) of \(label)") {
                buffer, size in
                unsafe Name.with(name) { unsafe linux_get_attribute(number, isLocated ? 1 : 0, $0, buffer, size) }
            }
            if let value { found.append(Extended(name: name, value: value)) }
        }
        found.sort { $0.name.lexicographicallyPrecedes($1.name) }
        return found
    }

    package func set(_ attribute: Extended) throws(Failure) {
        let result = unsafe Name.with(attribute.name) { name in
            unsafe attribute.value.withUnsafeBytes { value in
                unsafe linux_set_attribute(number, isLocated ? 1 : 0, name, value.baseAddress, UInt(value.count))
            }
        }
        if result != 0 {
            throw Failure.system(errno, "cannot set the extended attribute \(Self.text(attribute.name)) of \(label)")
        }
    }

    /// Also succeeds when there is no such attribute.
    package func remove(extended name: [UInt8]) throws(Failure) {
        let result = unsafe Name.with(name) { unsafe linux_remove_attribute(number, isLocated ? 1 : 0, $0) }
        if result != 0 && errno != ENODATA && errno != EOPNOTSUPP {
            throw Failure.system(errno, "cannot remove the extended attribute \(Self.text(name)) of \(label)")
        }
    }

    /// Calls twice, for the size and for the bytes, again while they grow in between. Nil when there is nothing.
    private func sized(
        _ what: @autoclosure () -> String, _ call: (UnsafeMutablePointer<CChar>?, UInt) -> Int
    ) throws(Failure) -> [UInt8]? {
        for _ in 0..<16 {
            let wanted = call(nil, 0)
            if wanted == 0 { return [] }
            if wanted < 0 {
                if errno == ENODATA || errno == EOPNOTSUPP || errno == ENOENT { return nil }
                throw Failure.system(errno, what())
            }
            var number: Int32 = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
                let got = unsafe buffer.withMemoryRebound(to: CChar.self) {
                    unsafe call($0.baseAddress, UInt($0.count))
                }
                if got < 0 { number = errno } else { count = got }
            }
            if number == 0 { return bytes }
            if number == ENODATA { return nil }
            if number != ERANGE { throw Failure.system(number, what()) }
        }
        throw Failure(.failed, "\(what()): it changes all the time")
    }

    // MARK: - Owner, mode, time

    package func setOwner(_ owner: UInt32, group: UInt32) throws(Failure) {
        let result = unsafe Name.with([]) { unsafe fchownat(number, $0, owner, group, Self.emptyPath) }
        if result != 0 { throw Failure.system(errno, "cannot give \(label) to owner \(owner), group \(group)") }
    }

    /// A symbolic link has no mode of its own: nothing happens to one.
    package func setMode(_ mode: UInt32) throws(Failure) {
        // chmod does not take descriptors that only locate a file; their place in /proc it does.
        let result =
            isLocated
            ? unsafe Name.with(Array("/proc/self/fd/\(number)".utf8)) { unsafe chmod($0, mode) } : fchmod(number, mode)
        if result != 0 { throw Failure.system(errno, "cannot set the mode of \(label)") }
    }

    /// The time of last access is left as it is.
    package func setModified(seconds: Int64, nanoseconds: UInt32) throws(Failure) {
        let omit = timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2)
        let times = (omit, timespec(tv_sec: Int(seconds), tv_nsec: Int(nanoseconds)))
        let result = unsafe withUnsafePointer(to: times) { pair in
            unsafe pair.withMemoryRebound(to: timespec.self, capacity: 2) { times in
                unsafe Name.with([]) { unsafe utimensat(number, $0, times, Self.emptyPath) }
            }
        }
        if result != 0 { throw Failure.system(errno, "cannot set the time of \(label)") }
    }

    /// AT_EMPTY_PATH, which glibc keeps from Swift: the call is about the descriptor itself.
    private static let emptyPath: Int32 = 0x1000

    private static func text(_ name: [UInt8]) -> String { String(decoding: name, as: UTF8.self) }
}
