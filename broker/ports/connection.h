/* connection - one peer of a router: its socket, what it sent and we have not taken, what waits to be sent, and how far
 * the handshake of ZMTP (zmtp.h) has come. Memory follows what is there: an idle peer holds 64 KiB at most, the mere
 * promise of a long message nothing. Owned and called by the loop's thread alone. */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "ports/zmtp.h"

#define CONNECTION_PARTS 2 /* frames of any message we understand */

struct connection_limits {
    size_t body_max; /* bytes of one frame of a peer; one that sends more is disconnected */
    size_t out_max;  /* bytes that may wait for a peer that does not read */
};

/* Valid until the next call on the connection. */
struct connection_message {
    int count; /* frames; more than CONNECTION_PARTS: too many, and none of them is here */
    struct bytes part[CONNECTION_PARTS];
};

enum connection_state { CONNECTION_GREETING, CONNECTION_READY, CONNECTION_OPEN };

struct connection {
    int fd;
    enum connection_state state;
    struct buf in;
    size_t start;  /* of `in`: what is before it has been taken */
    size_t parsed; /* from start: where the next frame begins */
    int count;     /* whole frames between the two, as in struct connection_message */
    struct {
        size_t at, len; /* from start */
    } part[CONNECTION_PARTS];
    struct buf out;
    size_t sent; /* of `out` */
    bool deaf;   /* sending failed: the peer is gone, and what it sent before can still be taken */
};

/* Takes the socket, which must not block, and has our greeting wait in `out`. */
enum err connection_init(struct connection *self, int fd, const struct connection_limits *limits) MUST_CHECK;
void connection_fini(struct connection *self);

/* Reads once. ERR_END: nothing was there. ERR_UNAVAILABLE: the peer is gone. *got: bytes; *drained: no more are there
 * now. */
enum err connection_receive(struct connection *self, size_t *got, bool *drained) MUST_CHECK;
/* The next message, after whatever of the handshake is here. ERR_END: not all here yet. Other errors: to be closed, and
 * why says for what. Answers of the handshake wait in `out`. */
enum err connection_next(struct connection *self, const struct connection_limits *limits,
                         struct connection_message *out, struct fault *why) MUST_CHECK;
/* Has a message of one frame wait. ERR_FULL: too much waits already, ERR_UNAVAILABLE: the peer has not finished its
 * handshake, or is gone. */
enum err connection_put(struct connection *self, struct bytes frame) MUST_CHECK;
/* Sends what waits. ERR_END: the rest must wait until the socket takes more. ERR_UNAVAILABLE: the peer is gone, and
 * what waited with it. */
enum err connection_flush(struct connection *self) MUST_CHECK;
/* Gives back memory of what has been taken and sent. */
void connection_rest(struct connection *self);

#endif
