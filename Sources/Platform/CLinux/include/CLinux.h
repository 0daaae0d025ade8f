// What Linux offers and Swift's view of the C library leaves out.
#ifndef C_LINUX_H
#define C_LINUX_H

#include "connection.h"
#include "files.h"
#include "mount.h"
#include "process.h"

#include <pthread.h>
#include <stddef.h>

/// `whence` of lseek(2) for sparse files.
static const int linux_seek_data = 3;
static const int linux_seek_hole = 4;

/// Names the calling thread; at most 15 bytes are shown.
void linux_name_thread(const char *name);

/// pthread_create(3) with a stack of so many bytes.
int linux_start_thread(pthread_t *thread, size_t stack, void *(*body)(void *), void *argument);

/// Keeps what the program has freed from piling up: large pieces go back to the system at once, and threads share
/// their heaps. For programs that hold a bounded amount for a long time; costs some speed.
void linux_keep_heap_small(void);

/// Keeps up to 64 MiB of what the program has freed at the end of each heap, and pieces below 32 MiB within them.
void linux_keep_freed_heap(void);

#endif
