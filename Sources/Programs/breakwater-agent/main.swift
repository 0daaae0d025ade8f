// Flags and wiring only.
