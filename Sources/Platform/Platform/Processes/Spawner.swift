internal import CLinux
internal import Glibc
internal import Synchronization

/// The one thread that starts children. "Kill it when the parent dies" means, to the kernel, when the *thread* that
/// forked it ends; so children are started by a thread that ends with the process.
final class Spawner: Sendable {
    static let shared = Spawner()

    private final class Order: Sendable {
        let launch: ProcessLaunch
        let outcome = Monitor<Result<Int32, Failure>?>(nil)
        init(_ launch: ProcessLaunch) { self.launch = launch }
    }

    private let orders: Monitor<[Order]>
    private let thread: EngineThread

    private init() {
        let orders = Monitor<[Order]>([])
        self.orders = orders
        thread = EngineThread(name: "spawner") {
            while true {
                let order = orders.access(when: { !$0.isEmpty }) { $0.removeFirst() }
                let result: Result<Int32, Failure>
                do throws(Failure) {
                    result = .success(try Self.fork(order.launch))
                } catch {
                    result = .failure(error)
                }
                order.outcome.access { $0 = result }
            }
        }
    }

    func spawn(_ launch: ProcessLaunch) throws(Failure) -> Int32 {
        let order = Order(launch)
        orders.access { $0.append(order) }
        let result = order.outcome.access(when: { $0 != nil }) { $0 }
        guard let result else { throw Failure(.failed, "\(launch.program) was not started") }
        return try result.get()
    }

    private static func fork(_ launch: ProcessLaunch) throws(Failure) -> Int32 {
        let program = try find(launch.program)
        let nothing = try Descriptor.open("/dev/null", O_RDWR)
        let output = try open(launch.output)
        let errors = try open(launch.errors)

        var environment = inheritedEnvironment()
        for (name, value) in launch.environment { environment[name] = value }

        let result = unsafe withStrings([program] + launch.arguments) { arguments in
            unsafe withStrings(environment.map { "\($0.key)=\($0.value)" }.sorted()) { variables in
                unsafe program.withCString { path in
                    unsafe withOptionalString(launch.directory) { directory in
                        var request = unsafe linux_spawn(
                            path: path, arguments: arguments, environment: variables, directory: directory,
                            input: nothing.number, output: output.number, error: errors.number)
                        return unsafe linux_spawn_child(&request)
                    }
                }
            }
        }
        if result < 0 { throw .system(-result, "cannot start \(launch.program)") }
        return result
    }

    private static func open(_ output: ProcessLaunch.Output) throws(Failure) -> Descriptor {
        switch output {
        case .nowhere: try Descriptor.open("/dev/null", O_RDWR)
        case .file(let path): try Descriptor.open(path, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        }
    }

    /// As the shell finds it.
    private static func find(_ program: String) throws(Failure) -> String {
        if program.contains("/") { return program }
        // Debian's tools for disks lie in sbin, which the path of a plain user leaves out.
        let path = (inheritedEnvironment()["PATH"] ?? "/usr/bin:/bin") + ":/usr/sbin:/sbin"
        for folder in path.split(separator: ":") {
            let candidate = "\(folder)/\(program)"
            if unsafe access(candidate, X_OK) == 0 { return candidate }
        }
        throw Failure(.notFound, "The program \(program) is not installed", advice: "Install its Debian package.")
    }

    private static func inheritedEnvironment() -> [String: String] {
        var result: [String: String] = [:]
        guard var place = unsafe linux_environment() else { return result }
        while let entry = unsafe place.pointee {
            let text = unsafe String(cString: entry)
            if let cut = text.firstIndex(of: "=") {
                result[String(text[..<cut])] = String(text[text.index(after: cut)...])
            }
            unsafe place += 1
        }
        return result
    }

    /// `body` with a null-ended array of C strings.
    private static func withStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = unsafe strings.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { unsafe pointers.forEach { unsafe free($0) } }
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress.unsafelyUnwrapped) }
    }

    private static func withOptionalString<Result>(
        _ text: String?, _ body: (UnsafePointer<CChar>?) -> Result
    ) -> Result {
        guard let text else { return body(nil) }
        return unsafe text.withCString { unsafe body($0) }
    }
}
