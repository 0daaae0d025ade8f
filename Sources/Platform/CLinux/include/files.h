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

// Extended attributes, as listxattr(2), getxattr(2), setxattr(2) and removexattr(2). `located` says that `file` was
// opened with O_PATH, as a symbolic link, a socket or a device is: it is then reached through /proc/self/fd.
long linux_list_attributes(int file, int located, char *buffer, unsigned long size);
long linux_get_attribute(int file, int located, const char *name, void *buffer, unsigned long size);
int linux_set_attribute(int file, int located, const char *name, const void *value, unsigned long size);
int linux_remove_attribute(int file, int located, const char *name);

// The magic number of the file system that `file` lies on, fstatfs(2); -1 with errno.
long linux_file_system_type(int file);

// syncfs(2): everything on the file system of `file` is made durable.
int linux_sync_file_system(int file);

#endif
