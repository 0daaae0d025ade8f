#define _GNU_SOURCE
#include "CLinux.h"

#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

_Static_assert(SEEK_DATA == 3 && SEEK_HOLE == 4, "the header repeats what only GNU sources see");

void linux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

void linux_keep_heap_small(void) {
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}
