#define _GNU_SOURCE
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int linux_fuse_mount(int device, const char *path, unsigned int user, unsigned int group) {
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", device, user, group);
    unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME;
    return mount("breakwater", path, "fuse.breakwater", flags, options) == 0 ? 0 : -errno;
}

int linux_fuse_unmount(const char *path) { return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0 ? 0 : -errno; }

// The device comes as a descriptor over a socket whose number _FUSE_COMMFD names.
static int receive(int from) {
    char byte;
    struct iovec piece = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got;
    do got = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) return -EPERM;
    int device;
    memcpy(&device, CMSG_DATA(header), sizeof device);
    return device;
}

static void become_helper(const char *program, const char *path, const char *options, int ours, int theirs,
                          char *const *variables) {
    (void)ours;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int out = fcntl(theirs, F_DUPFD_CLOEXEC, 10);
    if (out < 0 || dup2(out, 3) < 0) _exit(127);
    syscall(SYS_close_range, 4U, ~0U, 0);
    char *const arguments[] = {(char *)program, "-o", (char *)options, "--", (char *)path, NULL};
    execve(program, arguments, variables);
    _exit(127);
}

int linux_fuse_mount_by(const char *program, const char *path, const char *options) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return -errno;
    size_t count = 0;
    while (environ && environ[count]) count++;
    char **variables = calloc(count + 2, sizeof *variables);
    if (!variables) {
        close(pair[0]);
        close(pair[1]);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) variables[i] = environ[i];
    variables[count] = "_FUSE_COMMFD=3";
    pid_t pid = fork();
    if (pid == 0) become_helper(program, path, options, pair[0], pair[1], variables);
    int device = pid < 0 ? -errno : 0;
    free(variables);
    close(pair[1]);
    if (pid > 0) {
        device = receive(pair[0]);
        int status = 0;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        if (device >= 0 && fcntl(device, F_SETFL, O_NONBLOCK) != 0) {
            int failed = errno;
            close(device);
            device = -failed;
        }
    }
    close(pair[0]);
    return device;
}

int linux_mount_is_dead(const char *path) {
    // Nothing that the kernel could answer from what it was told before.
    struct statfs status;
    return statfs(path, &status) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

// Between fork and exit, only async-signal-safe calls.
static void stand_guard(const char *path, const char *program, int line, int parent) {
    setsid();
    // What ends the program must not end its guard.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    // Out of the way of 0 and 1 first, so that no copy overwrites a source.
    line = fcntl(line, F_DUPFD, 3);
    parent = fcntl(parent, F_DUPFD, 3);
    if (line < 0 || parent < 0 || dup2(line, 0) < 0 || dup2(parent, 1) < 0) _exit(1);
    syscall(SYS_close_range, 2U, ~0U, 0);
    (void)!chdir("/");
    char byte;
    ssize_t got;
    do got = read(0, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 0) {
        // It ended without a word. Its sockets may be closed before the device is: only when it is gone as a whole is
        // the mount dead.
        struct pollfd end = {.fd = 1, .events = POLLIN};
        while (poll(&end, 1, -1) < 0 && errno == EINTR) {}
    }
    // A mount whose program is gone says so; anything else at this place is somebody else's.
    if (linux_mount_is_dead(path)) {
        if (!program) {
            umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
        } else {
            char *const arguments[] = {(char *)program, "-u", "-q", "-z", "--", (char *)path, NULL};
            sigset_t none;
            sigemptyset(&none);
            sigprocmask(SIG_SETMASK, &none, NULL);
            execve(program, arguments, environ);
        }
    }
    _exit(0);
}

int linux_guard_mount(const char *path, const char *program, struct linux_mount_guard *guard) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
    int parent = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (parent < 0) {
        int failed = errno;
        close(ends[0]);
        close(ends[1]);
        return -failed;
    }
    pid_t pid = fork();
    if (pid == 0) {
        // As long as the guard itself held the other end, it would never see it close.
        close(ends[1]);
        stand_guard(path, program, ends[0], parent);
    }
    int failed = pid < 0 ? errno : 0;
    close(parent);
    close(ends[0]);
    if (failed) {
        close(ends[1]);
        return -failed;
    }
    guard->pid = pid;
    guard->line = ends[1];
    return 0;
}

void linux_end_guard(const struct linux_mount_guard *guard) {
    char word = 0;
    (void)!send(guard->line, &word, 1, MSG_NOSIGNAL);
    close(guard->line);
    int status;
    while (waitpid(guard->pid, &status, 0) < 0 && errno == EINTR) {}
}
