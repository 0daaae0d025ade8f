// A snapshot of a disk as a read-only network block device.
