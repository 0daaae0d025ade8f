// The coordinator's database and the audit journal.
