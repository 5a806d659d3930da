/* router - the ROUTER end of ZeroMQ's request and answer (RFC 28) inside the loop of the thread that owns it: it
 * listens, speaks ZMTP 3 with whom a ROUTER may have as a peer (zmtp.h), names each by an id of its own, hands out one
 * message after the other and sends messages of one frame, without the empty one a REQ waits for. Peers use libzmq.
 *
 * Why not libzmq here too: its sockets live in a thread of its own, so that a request and its answer change threads
 * four times. A put waited for that nearly as long as for the disk (docs/performance.md, "Queue").
 *
 * Fair: peers with messages take turns, one message each. Bounded: connections, bytes of a frame, bytes that wait for
 * a peer that does not read (a message beyond is dropped, as are those to a peer that is gone: whoever asked asks
 * again). What is not taken stays in the peer's socket. */
#ifndef ROUTER_H
#define ROUTER_H

#include "ports/connection.h"

#define ROUTER_PEER_LEN 8
#define ROUTER_ROUND    32 /* messages taken, at most, before sockets are looked at that were silent */

struct router;

struct router_settings {
    const char *name;    /* in logs; kept by the caller */
    const char *address; /* as listener.h has it; copied */
    uint32_t peers_max;  /* further ones are closed at once */
    struct connection_limits limits;
};

struct router_message {
    unsigned char peer[ROUTER_PEER_LEN]; /* never used again when its connection has ended */
    struct connection_message of;        /* valid until the next call on the router */
};

enum err router_open(struct router **out, const struct router_settings *settings, struct fault *why) MUST_CHECK;
/* What waits is sent for at most linger_ms. */
void router_close(struct router **self_p, int linger_ms);

int router_fd(const struct router *self); /* poll(2): readable when router_take() may have news */
/* false: nothing waits; or much was read and nothing whole came of it, and then router_waits(). */
bool router_take(struct router *self, struct router_message *out);
/* There may be news that router_fd() does not tell of. */
bool router_waits(const struct router *self);
/* Puts a message of one frame into the peer's queue. ERR_NOT_FOUND: it is gone. ERR_FULL: it does not read. */
enum err router_send(struct router *self, const void *peer, size_t peer_len, struct bytes frame) MUST_CHECK;
/* Sends what was put since the last flush. */
void router_flush(struct router *self);
/* Ends handshakes that take too long and logs who was turned away; a few times a second. now_ms: clock_monotonic_ms()
 */
void router_tick(struct router *self, int64_t now_ms);

#endif
