package import Platform

/// The places at which a store on a disk can be stopped in the middle of its work, so that a test can crash it at
/// each of them. A real store has no fault point and pays nothing for it.
///
/// `reach` is called before the step is made. When it throws, the step is not made and the call ends with what was
/// thrown; from then on `reach` has to throw always, as a dead process does nothing more: the clean-up steps of
/// the interrupted call ask it too.
package struct FaultPoint: Sendable {
    package enum Step: String, Sendable, CaseIterable {
        case makeDirectory, createTemporary, write, synchronizeFile, publish, removeTemporary, synchronizeDirectory,
            delete
    }

    private let hook: @Sendable (Step) throws(Failure) -> Void

    package init(_ hook: @escaping @Sendable (Step) throws(Failure) -> Void) { self.hook = hook }

    package func reach(_ step: Step) throws(Failure) { try hook(step) }
}
