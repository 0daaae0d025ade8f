/// What a site declares about its QEMU; the defaults are where Debian puts things.
package struct QEMUSettings: Sendable {
    package var accelerator: AcceleratorSetting = .auto
    /// How long a machine on KVM may take to its first proven sign of life before TCG gets its turn (`auto` only).
    package var canary: Duration = .seconds(20)
    /// How long QEMU may take until its monitor answers.
    package var startLimit: Duration = .seconds(20)
    package var program = "qemu-system-x86_64"
    package var imageTool = "qemu-img"
    package var firmwareCode = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    package var firmwareVariables = "/usr/share/OVMF/OVMF_VARS_4M.fd"

    package init() {}
}
