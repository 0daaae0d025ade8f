/// What repacking did.
package struct RepackReport: Sendable {
    /// Packs whose content was moved, and the packs it went to.
    package internal(set) var packs: UInt64 = 0
    package internal(set) var newPacks: UInt64 = 0
    /// Bytes of the packs before and after.
    package internal(set) var bytesBefore: UInt64 = 0
    package internal(set) var bytesAfter: UInt64 = 0
    /// All that was put for it, the segments that tell of the new packs with them: what of the space that came free is taken
    /// again.
    package internal(set) var rewritten: UInt64 = 0
    /// Why nothing was repacked that might have been: a sentence without a full stop.
    package internal(set) var postponed: String?

    package init() {}
}
