import Glibc
import Platform
import Testing

@Suite struct ChildProcessTests {
    private let scratch = ScratchFolder()

    @Test func `a child's exit code comes back, and stays`() throws {
        let child = try ChildProcess.start(ProcessLaunch("sh", ["-c", "exit 7"]))
        #expect(try child.wait(until: .after(.seconds(20))) == .code(7))
        #expect(child.exit == .code(7))
        child.kill()
    }

    @Test func `a program that is not there is named, and nothing runs`() {
        #expect(throws: Failure(.notFound, "")) { try ChildProcess.start(ProcessLaunch("no-such-program")) }
        #expect(throws: Failure(.notFound, "")) { try ChildProcess.start(ProcessLaunch("/no/such/program")) }
        #expect(throws: Failure(.notFound, "")) {
            try ChildProcess.start(ProcessLaunch("true", directory: "/no/such/folder"))
        }
    }

    @Test func `a killed child says by which signal`() throws {
        let child = try ChildProcess.start(ProcessLaunch("sleep", ["600"]))
        #expect(child.exit == nil)
        #expect(try child.wait(until: .after(.milliseconds(20))) == nil)
        child.kill()
        #expect(try child.wait(until: .after(.seconds(20))) == .signal(SIGKILL))
    }

    @Test func `a child whose last owner lets go is killed`() throws {
        let identifier = try { try ChildProcess.start(ProcessLaunch("sleep", ["600"])).identifier }()
        #expect(kill(identifier, 0) != 0 && errno == ESRCH)
    }

    @Test func `the kernel kills the child when its program is killed`() throws {
        // This process cannot kill itself to see it; the child reads back the mark that makes the kernel do it.
        let folder = scratch.path
        // 157 is prctl(2) on x86-64, 2 PR_GET_PDEATHSIG; perl-base is on every Debian.
        let script = #"$mark = pack("i", 0); syscall(157, 2, $mark); print unpack("i", $mark), "\n""#
        let printed = try ChildProcess.run("perl", ["-e", script], scratch: folder, limit: .seconds(30))
        #expect(String(decoding: printed, as: UTF8.self) == "9\n")
    }

    @Test func `a child inherits no descriptor but its three`() throws {
        let folder = scratch.path
        let leaked = open("/dev/null", O_RDONLY)
        defer { close(leaked) }
        // No pipeline, whose descriptors the shell itself holds for a moment; `true`, so that `ls` is not the shell.
        let printed = try ChildProcess.run(
            "sh", ["-c", "ls /proc/$$/fd; true"], scratch: folder, limit: .seconds(30))
        #expect(String(decoding: printed, as: UTF8.self) == "0\n1\n2\n")
    }

    @Test func `a tool that fails is quoted, one that hangs is killed`() throws {
        let folder = scratch.path
        do {
            _ = try ChildProcess.run("sh", ["-c", "echo no luck >&2; exit 3"], scratch: folder, limit: .seconds(20))
            Issue.record("it did not fail")
        } catch {
            #expect(error.code == .failed)
            #expect(error.what.contains("no luck") && error.what.contains("exit code 3"))
        }
        #expect(throws: Failure(.unreachable, "")) {
            try ChildProcess.run("sleep", ["600"], scratch: folder, limit: .milliseconds(50))
        }
        let left = try ChildProcess.run("ls", ["-A", folder], scratch: "/tmp", limit: .seconds(20))
        #expect(left.isEmpty)
    }
}
