/// What makes the guest's instructions run.
package enum Accelerator: String, Sendable, Codable, CaseIterable {
    /// The processor itself.
    case kvm
    /// Translation in software: slow, and works everywhere.
    case tcg
}

/// What the site asks for.
package enum AcceleratorSetting: String, Sendable, Codable, CaseIterable {
    /// KVM where it is real, TCG where it is not or fails.
    case auto
    case kvm
    case tcg
}

/// Which accelerator ran, and why that one.
package struct AcceleratorReport: Sendable, Equatable, Codable {
    package var accelerator: Accelerator
    package var reason: String

    package init(accelerator: Accelerator, reason: String) {
        self.accelerator = accelerator
        self.reason = reason
    }
}

/// What the machine that we run on offers.
package struct AcceleratorHost: Sendable {
    /// A vendor's KVM module is there. `/dev/kvm` alone proves nothing: inside some virtual machines it opens, creates
    /// machines, and cannot boot an ordinary kernel.
    package var hasModule: Bool
    /// `/dev/kvm` may be opened by this process.
    package var hasDevice: Bool

    package init(hasModule: Bool, hasDevice: Bool) {
        self.hasModule = hasModule
        self.hasDevice = hasDevice
    }

    /// The accelerators to try, best first, each with the reason that a report gives should it be the one.
    package func candidates(for setting: AcceleratorSetting) -> [AcceleratorReport] {
        switch setting {
        case .kvm: [AcceleratorReport(accelerator: .kvm, reason: "the site asks for it")]
        case .tcg: [AcceleratorReport(accelerator: .tcg, reason: "the site asks for it")]
        case .auto:
            if !hasModule {
                [AcceleratorReport(accelerator: .tcg, reason: "neither kvm_intel nor kvm_amd is loaded")]
            } else if !hasDevice {
                [AcceleratorReport(accelerator: .tcg, reason: "/dev/kvm may not be opened")]
            } else {
                [
                    AcceleratorReport(accelerator: .kvm, reason: "the host has it"),
                    AcceleratorReport(accelerator: .tcg, reason: "KVM failed"),
                ]
            }
        }
    }
}
