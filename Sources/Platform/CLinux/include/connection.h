// Sockets.
#ifndef C_LINUX_CONNECTION_H
#define C_LINUX_CONNECTION_H

/// accept4(2) with close-on-exec, retried when interrupted. -1 and errno on failure.
int linux_accept(int listening);

#endif
