/* listener - a listening socket at an address as endpoint.h has them: tcp://HOST:PORT with a host name, a numeric
 * address ([::1] with brackets), `*` for all of them or the name of a network interface; ipc://PATH, where a socket
 * that a killed process left behind is replaced. */
#ifndef LISTENER_H
#define LISTENER_H

#include "err.h"

/* *fd does not block and is closed on exec. ERR_EXISTS: somebody else listens at that port. */
enum err listener_open(int *fd, const char *address, struct fault *why) MUST_CHECK;
/* The next peer's socket, or -1 with errno. */
int listener_accept(int fd);
/* Closes it; a file it made is removed. */
void listener_close(int fd, const char *address);

#endif
