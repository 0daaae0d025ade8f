/// A question whose answer shows that a desktop is ready.
package enum Probe: Sendable, Equatable, Codable {
    /// The serial port has printed a line that contains this.
    case serialLine(containing: String)
    /// The serial port has printed a line in which this regular expression is found.
    case serialMatch(pattern: String)
    /// The probe port accepts a connection and answers with bytes that contain this (any, when it is empty).
    case tcp(answerContaining: String)
    /// The agent inside the guest answers.
    case guestAgent
}

package struct ProbeResult: Sendable, Equatable, Codable {
    package var probe: Probe
    /// What was seen, for the evidence: the line, the answer, the agent's version. Written by the guest.
    package var evidence: String
    /// After the start of the machine, by the host's clock (the guest's lies under TCG).
    package var milliseconds: UInt64

    package init(probe: Probe, evidence: String, milliseconds: UInt64) {
        self.probe = probe
        self.evidence = evidence
        self.milliseconds = milliseconds
    }
}
