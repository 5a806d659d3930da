/* bench_zmtp - one connection to a ZeroMQ socket over a plain blocking TCP socket: the client's side of ZMTP 3.0
 * (ZeroMQ RFC 23) with the mechanism NULL. A load generator with libzmq has a thread of its own and two wake-ups more a
 * message, which on a shared machine are charged to the server; the other servers' clients are plain sockets too.
 *
 * As everywhere in bench_queue, any error ends the process. */
#ifndef BENCH_ZMTP_H
#define BENCH_ZMTP_H

#include "wire/pack.h"

#include <stdbool.h>

#define ZMTP_IN_MAX (1u << 20)

struct bench_zmtp {
    int fd;
    struct buf out; /* messages that wait for bench_zmtp_flush() */
    size_t start, end;
    char in[ZMTP_IN_MAX];
};

/* type: "DEALER" or "SUB" */
void bench_zmtp_open(struct bench_zmtp *self, const char *port, const char *type);
void bench_zmtp_close(struct bench_zmtp *self);
void bench_zmtp_subscribe(struct bench_zmtp *self, const char *topic, size_t len);

/* Adds one frame to what the next flush sends in one call. more: it is not the last one of its message. */
void bench_zmtp_add(struct bench_zmtp *self, struct bytes frame, bool more);
void bench_zmtp_flush(struct bench_zmtp *self);

/* The last frame of the next message, valid until the next call. Waits for it; without `wait`, false when none is
 * here. */
bool bench_zmtp_receive(struct bench_zmtp *self, bool wait, struct bytes *last);

#endif
