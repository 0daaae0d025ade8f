#define _GNU_SOURCE
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

int linux_open_beneath_by_walking(int dir, const char *path, int flags, unsigned int mode) {
    int at = dir;
    char name[256];
    for (;;) {
        const char *slash = strchrnul(path, '/');
        size_t length = (size_t)(slash - path);
        int failure = 0;
        if (length > 255) failure = ENAMETOOLONG;
        else if (length == 0) failure = *path == '/' ? EXDEV : ENOENT;
        else if (length == 2 && path[0] == '.' && path[1] == '.') failure = EXDEV;
        int next = -1;
        if (failure == 0) {
            memcpy(name, path, length);
            name[length] = 0;
            int last = *slash == 0;
            next = last ? openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC, mode)
                        : openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (next < 0) failure = errno;
        }
        if (at != dir) close(at);
        if (failure != 0) {
            errno = failure;
            return -1;
        }
        if (*slash == 0) return next;
        at = next;
        path = slash + 1;
    }
}

int linux_open_beneath(int dir, const char *path, int flags, unsigned int mode) {
    // The kernel takes no longer path in one piece.
    if (strlen(path) >= PATH_MAX) return linux_open_beneath_by_walking(dir, path, flags, mode);
#ifdef SYS_openat2
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = (uint64_t)(unsigned)(flags | O_NOFOLLOW | O_CLOEXEC);
    how.mode = (flags & (O_CREAT | __O_TMPFILE)) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    for (int attempt = 0; attempt < 8; attempt++) {
        long file = syscall(SYS_openat2, dir, path, &how, sizeof how);
        if (file >= 0) return (int)file;
        if (errno == EINTR || errno == EAGAIN) continue;
        // Filters of older container engines answer EPERM to calls they do not know.
        if (errno != ENOSYS && errno != EPERM) return -1;
        break;
    }
#endif
    return linux_open_beneath_by_walking(dir, path, flags, mode);
}

long linux_list(int dir, void *buffer, unsigned long size) { return getdents64(dir, buffer, size); }

int linux_rename_new(int from, const char *old, int to, const char *name) {
    return renameat2(from, old, to, name, RENAME_NOREPLACE);
}

static const char *place(int file, char buffer[32]) {
    snprintf(buffer, 32, "/proc/self/fd/%d", file);
    return buffer;
}

long linux_list_attributes(int file, int located, char *buffer, unsigned long size) {
    char path[32];
    return located ? listxattr(place(file, path), buffer, size) : flistxattr(file, buffer, size);
}

long linux_get_attribute(int file, int located, const char *name, void *buffer, unsigned long size) {
    char path[32];
    return located ? getxattr(place(file, path), name, buffer, size) : fgetxattr(file, name, buffer, size);
}

int linux_set_attribute(int file, int located, const char *name, const void *value, unsigned long size) {
    char path[32];
    return located ? setxattr(place(file, path), name, value, size, 0) : fsetxattr(file, name, value, size, 0);
}

int linux_remove_attribute(int file, int located, const char *name) {
    char path[32];
    return located ? removexattr(place(file, path), name) : fremovexattr(file, name);
}

long linux_file_system_type(int file) {
    struct statfs status;
    return fstatfs(file, &status) == 0 ? (long)status.f_type : -1;
}

int linux_sync_file_system(int file) { return syncfs(file); }
