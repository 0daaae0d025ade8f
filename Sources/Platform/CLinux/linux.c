#define _GNU_SOURCE
#include "CLinux.h"

#include <pthread.h>
#include <unistd.h>

_Static_assert(SEEK_DATA == 3 && SEEK_HOLE == 4, "the header repeats what only GNU sources see");

void linux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
