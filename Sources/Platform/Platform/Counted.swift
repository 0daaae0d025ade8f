extension BinaryInteger {
    /// The number with its noun, and what of a verb goes with it, for sentences: `1 file is`, `2 files are`.
    package func counted(_ one: String, _ many: String) -> String { "\(self) \(self == 1 ? one : many)" }
}
