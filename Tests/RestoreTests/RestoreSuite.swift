// Tests of Restore.
