// Calls of Linux on files that Swift cannot make itself: system calls without a wrapper in glibc 2.36.
#ifndef C_LINUX_FILES_H
#define C_LINUX_FILES_H


// Opens `path` below the directory `dir` without following any symbolic link and without ever leaving `dir`:
// openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), or, where the kernel or a filter of
// system calls has no openat2, a walk component by component with O_NOFOLLOW. Returns -1 and sets errno.
int linux_open_beneath(int dir, const char *path, int flags, unsigned int mode);

// The walk of the above, by itself: so that it can be tested where openat2 works.
int linux_open_beneath_by_walking(int dir, const char *path, int flags, unsigned int mode);

// Calls that glibc declares for GNU programs only, which keeps them from Swift.

// getdents64(2): struct linux_dirent64 records into `buffer`.
long linux_list(int dir, void *buffer, unsigned long size);

// renameat2(2) with RENAME_NOREPLACE.
int linux_rename_new(int from, const char *old, int to, const char *name);

#endif
