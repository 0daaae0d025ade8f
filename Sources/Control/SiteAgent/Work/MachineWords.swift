import Hypervisor

/// The module Hypervisor has a protocol of its own name, so that what it shares a name with Model for is told apart
/// here.
typealias MachineProbe = Probe
