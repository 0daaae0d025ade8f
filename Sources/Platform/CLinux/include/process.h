// Child processes that cannot outlive their parent.
#ifndef C_LINUX_PROCESS_H
#define C_LINUX_PROCESS_H

struct linux_spawn {
    const char *path;
    char *const *arguments;
    char *const *environment;
    /// Where the child starts; null for the parent's own directory.
    const char *directory;
    /// Become 0, 1 and 2 of the child.
    int input, output, error;
};

/// Starts a child in a process group of its own, with default signal handling and no descriptor but its three.
/// The kernel kills it when the calling THREAD ends, so call this from a thread that lives as long as the program.
/// Returns the pid, or minus the error number of whatever failed up to and including exec; then nothing runs.
int linux_spawn_child(const struct linux_spawn *request);

/// A descriptor that polls readable once the child has ended, or minus the error number.
int linux_open_child(int pid);

/// 0 while it runs, 1 once it has ended (`status` is then as of waitpid(2)), or minus the error number.
int linux_reap_child(int pid, int *status);

/// The environment of this process: a null-ended array, or null.
char **linux_environment(void);

#endif
