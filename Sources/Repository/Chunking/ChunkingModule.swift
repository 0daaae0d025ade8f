// Where to cut: content-defined boundaries for files, fixed blocks for disks.
