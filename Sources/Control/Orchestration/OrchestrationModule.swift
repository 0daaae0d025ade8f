// The rules, pure: state machines without I/O or a clock of their own.
