package import Platform

/// The seam between recovery and whatever runs machines at a site.
///
/// A machine never writes to the disk it was given: it runs on an overlay in a folder of its own, over a backing that
/// is only read, so starting a drill cannot change what was backed up. Calls block and are made from threads of the
/// engine. A machine never outlives the process that started it.
package protocol Hypervisor: Sendable {
    /// Checks the definition and lays its overlays and its folder out; nothing runs yet.
    /// - Parameter folder: an existing folder of the caller's; the machine lives in a new one inside, by its name.
    /// - Throws: `.usage` for a definition that makes no sense, `.exists` when a machine of that name is there,
    ///   `.notFound` for missing programs or backings, `.unreachable` for a block server that does not answer, `.full`.
    func define(_ definition: MachineDefinition, in folder: String) throws(Failure) -> DefinedMachine

    /// Starts it; returns once its processors run, long before it is ready.
    /// - Throws: `.failed` with what the hypervisor said.
    func start(_ machine: DefinedMachine) throws(Failure) -> any RunningMachine
}

/// A machine whose overlays exist: a value that survives the process as the folder it names.
package struct DefinedMachine: Sendable, Equatable, Codable {
    package var definition: MachineDefinition
    /// Overlays, logs and sockets; to be removed by whoever no longer needs the machine's changes.
    package var folder: String

    package init(definition: MachineDefinition, folder: String) {
        self.definition = definition
        self.folder = folder
    }
}

/// A machine that was started, until it is stopped. Safe to use from several threads.
package protocol RunningMachine: AnyObject, Sendable {
    var machine: DefinedMachine { get }

    /// Which accelerator runs it now, and why: every report records it.
    var accelerator: AcceleratorReport { get }

    /// The port of 127.0.0.1 that leads to the probe port inside; nil when the definition has none.
    var probePort: UInt16? { get }

    func state() throws(Failure) -> MachineState

    /// Waits until every probe has succeeded, in the order given.
    /// - Returns: what each saw, and how long after the start.
    /// - Throws: `.unreachable` when the limit passes first, `.failed` when the machine ends or stops at a disk error;
    ///   both quote the end of the serial log.
    func waitUntilReady(_ probes: [Probe], within limit: Duration) throws(Failure) -> [ProbeResult]

    /// The screen as it is now, as a PNG.
    func screenshot() throws(Failure) -> [UInt8]

    /// Goes on after a disk error whose cause has been mended.
    func resume() throws(Failure)

    /// Ends it, gently first: asks the guest (agent, then power button) and waits for `grace`, then tells the
    /// hypervisor to quit, then kills the process. Afterwards nothing of it runs; calling it again is harmless.
    func stop(grace: Duration) throws(Failure) -> StopReport
}

package enum MachineState: Sendable, Equatable {
    case running
    /// Stopped at an error of a disk (the block server is away or its bytes are damaged); `resume()` tries again.
    case stoppedByDisk
    /// Paused for any other reason, in the hypervisor's word.
    case paused(String)
    /// Its process has ended.
    case ended(String)
}

package struct StopReport: Sendable, Equatable, Codable {
    package enum Manner: String, Sendable, Codable {
        /// It had ended before anybody asked.
        case alreadyEnded
        /// The guest shut itself down: its disk is clean.
        case shutDown
        /// The hypervisor was told to drop it.
        case quit
        /// Its process had to be killed.
        case killed
    }
    package var manner: Manner
    package var milliseconds: UInt64
}
