#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

// Between fork and exec in a program with threads, only async-signal-safe calls are allowed.
static void become(const struct linux_spawn *request, int report, pid_t parent) {
    int failed = 0;
    setpgid(0, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) goto fail;
    // The parent may have died before the line above: then nobody would ever send the signal.
    if (getppid() != parent) _exit(127);

    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) sigaction(number, &standard, NULL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    // Out of the way of 0, 1 and 2 first, so that no copy overwrites a source.
    int input = fcntl(request->input, F_DUPFD_CLOEXEC, 3);
    int output = fcntl(request->output, F_DUPFD_CLOEXEC, 3);
    int error = fcntl(request->error, F_DUPFD_CLOEXEC, 3);
    if (input < 0 || output < 0 || error < 0) goto fail;
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(error, 2) < 0) goto fail;
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        for (int number = 3; number < 65536; number++) fcntl(number, F_SETFD, FD_CLOEXEC);
    }
    if (request->directory && chdir(request->directory) != 0) goto fail;
    execve(request->path, request->arguments, request->environment);
fail:
    failed = errno;
    (void)!write(report, &failed, sizeof failed);
    _exit(127);
}

int linux_spawn_child(const struct linux_spawn *request) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return -errno;
    pid_t parent = getpid();

    // No handler of ours may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) become(request, report[1], parent);
    int failed = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);

    if (pid > 0) {
        // Exec closes the pipe: nothing to read means that the program runs.
        ssize_t got;
        do got = read(report[0], &failed, sizeof failed);
        while (got < 0 && errno == EINTR);
        if (got == 0) failed = 0;
        else if (got != sizeof failed) failed = ECHILD;
        if (failed) {
            int status;
            while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
        }
    }
    close(report[0]);
    return failed ? -failed : pid;
}

int linux_open_child(int pid) {
    int number = (int)syscall(SYS_pidfd_open, pid, 0);
    return number < 0 ? -errno : number;
}

int linux_reap_child(int pid, int *status) {
    pid_t result;
    do result = waitpid(pid, status, WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    return result == 0 ? 0 : 1;
}

char **linux_environment(void) { return environ; }
