#define _GNU_SOURCE
#include "connection.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

int linux_accept(int listening) {
    int number;
    do number = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    while (number < 0 && errno == EINTR);
    return number;
}
