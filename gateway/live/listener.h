/* listener - a TCP socket that listens on one address. libwebsockets' own listener knows interfaces only, so the loop
 * accepts itself and hands the sockets over. */
#ifndef LISTENER_H
#define LISTENER_H

#include "err.h"

#include <stdint.h>

/* host: name or address, IPv4 or IPv6; port 0 = any free one. *fd is not blocking; *bound is the port in use. */
enum err listener_open(const char *host, uint16_t port, int *fd, uint16_t *bound, struct fault *why) MUST_CHECK;
/* The next connection, not blocking, without delay of small writes; -1 when nobody waits or nothing can be accepted
 * now. */
int listener_accept(int fd);

#endif
