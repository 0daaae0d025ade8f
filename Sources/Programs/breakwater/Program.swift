internal import ArgumentParser
import Glibc
import Platform

/// The program's life: arguments in, an exit code out.
///
/// Engine commands run on a thread of their own, since they block on disks; those that talk to the coordinator are
/// asynchronous. The main thread waits for either, and signals come to a thread that does nothing else.
@main
enum Program {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let interruption = Interruption()
        let status = run(RawArguments.texts, interruption)
        // Other threads may still be at work on what was given up: nothing is torn down under their feet.
        _exit(status)
    }

    private static func run(_ arguments: [String], _ interruption: Interruption) -> Int32 {
        do {
            var command = try Breakwater.parseAsRoot(arguments)
            if let command = command as? any EngineCommand { return launch(command, interruption) }
            if let command = command as? any OnlineCommand { return launch(command, interruption) }
            try command.run()
            return 0
        } catch {
            return explain(error)
        }
    }

    // MARK: - Errors of the command line

    /// Help and versions that were asked for are words on standard output and no error; everything else is one of
    /// usage.
    private static func explain(_ error: any Error) -> Int32 {
        let text = Breakwater.fullMessage(for: error)
        if Breakwater.exitCode(for: error) == .success {
            Console.write(text + "\n", to: STDOUT_FILENO)
            return 0
        }
        // "Error: WHAT", and below it how the command is used, or where to read about it.
        let lines = text.split(separator: "\n").map { $0.drop { $0 == " " } }
        let what = Breakwater.message(for: error).split(separator: "\n").joined(separator: " ")
        let usage = Failure(
            .usage, what.isEmpty ? "the command is not understood" : what,
            advice: lines.drop { $0.hasPrefix("Error: ") }.joined(separator: " "))
        return Console.reportUsage(usage, words: text, RawArguments.texts)
    }

    // MARK: - Running

    private static func launch<Command: EngineCommand>(_ command: Command, _ interruption: Interruption) -> Int32 {
        let bench = Workbench(
            command.output, interruption, memory: (command as? any MemoryBoundCommand)?.memory.budget,
            goesOnUnread: !Command.isListing)
        if let words = Command.whenInterrupted { interruption.onFirst { end(bench.console, words) } }
        Heap.keepFreed()
        let status = Monitor<Int32>(0)
        let thread = EngineThread(name: "command") {
            let result = conclude(bench.console) { try command.perform(bench) }
            status.access { $0 = result }
        }
        thread.join()
        return status.access { $0 }
    }

    private static func launch<Command: OnlineCommand>(_ command: Command, _ interruption: Interruption) -> Int32 {
        let bench = Workbench(command.output, interruption)
        let status = Monitor<Int32?>(nil)
        let task = Task.detached {
            let result: Result<Int32, any Error>
            do { result = .success(try await command.perform(bench)) } catch { result = .failure(error) }
            let code = conclude(bench.console) { try result.get() }
            status.access { $0 = code }
        }
        interruption.onFirst { task.cancel() }
        return status.access(when: { $0 != nil }) { $0 ?? 0 }
    }

    /// For commands that change nothing: there is nothing to wind up.
    private static func end(_ console: Console, _ words: String) {
        _exit(conclude(console) { throw Failure(.cancelled, "interrupted", advice: words) })
    }

    private static func conclude(_ console: Console, _ body: () throws -> Int32) -> Int32 {
        do {
            let status = try body()
            try console.finish()
            return status
        } catch is ReaderGone {
            // Whoever read a list has seen enough of it.
            return 0
        } catch let failure as Failure {
            return console.report(failure)
        } catch is CancellationError {
            return console.report(
                Failure(
                    .cancelled, "interrupted",
                    advice: "What the coordinator was asked to do goes on there; `breakwater job list` shows it."))
        } catch {
            return console.report(Failure(.failed, "\(error)"))
        }
    }
}
