// Mounting a file system of our own: fuse(4).
#ifndef C_LINUX_MOUNT_H
#define C_LINUX_MOUNT_H

/// Mounts `device`, an open /dev/fuse, at `path` by mount(2): read-only, without devices and set-user-id programs.
/// 0, or minus the error number.
int linux_fuse_mount(int device, const char *path, unsigned int user, unsigned int group);

/// The same for those who may not mount: the helper `program` (fusermount3) opens the device, mounts it and hands it
/// over. The device, or minus the error number.
int linux_fuse_mount_by(const char *program, const char *path, const char *options);

/// Takes the mount at `path` away; whoever has a file in it open keeps it (umount2(2), MNT_DETACH). 0, or minus the
/// error number.
int linux_fuse_unmount(const char *path);

/// Whether a mount stands at `path` whose program is gone.
int linux_mount_is_dead(const char *path);

struct linux_mount_guard {
    int pid, line;
};

/// Starts a process that outlives this one and takes the mount at `path` away if it is dead by then: by itself, or by
/// `program` where that is not null. To be called before the device is opened, which it must not hold. 0, or minus the
/// error number.
int linux_guard_mount(const char *path, const char *program, struct linux_mount_guard *guard);

/// Ends the guard, which looks at the mount once more, and waits for it.
void linux_end_guard(const struct linux_mount_guard *guard);

#endif
