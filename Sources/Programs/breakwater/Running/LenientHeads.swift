import Platform
import Repository
import Sealing

/// Heads in the state folder, which may be one that can be read only, as on a rescue system: what was seen is still held
/// against a vault, and that nothing new can be remembered is said once and keeps nobody from his files.
struct LenientHeads: HeadMemory {
    let kept: DirectoryHeadMemory
    let console: Console
    private let isSaid = Monitor(false)

    init(kept: DirectoryHeadMemory, console: Console) {
        self.kept = kept
        self.console = console
    }

    func lastSeen(_ vault: VaultID, at location: String) throws(Failure) -> LogHead? {
        try kept.lastSeen(vault, at: location)
    }

    func newestSeen(_ vault: VaultID) throws(Failure) -> LogHead? { try kept.newestSeen(vault) }

    func remember(_ head: LogHead, of vault: VaultID, at location: String) throws(Failure) {
        do throws(Failure) {
            try kept.remember(head, of: vault, at: location)
        } catch {
            let isFirst = isSaid.access { said in
                defer { said = true }
                return !said
            }
            guard isFirst else { return }
            console.warn(
                "what was seen of the vault in \(location) cannot be remembered (\(error.what)): a roll-back to before it "
                    + "will not be noticed")
        }
    }
}
