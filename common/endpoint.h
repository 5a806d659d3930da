/* endpoint - the six ZeroMQ sockets of the design's picture: which type each end has, its bounds, and whether its
 * address may be used at all. All ends are libzmq's but the broker's ROUTERs, which are its own (broker/ports/router.h)
 * and take their address and bounds from here.
 *
 * Internal sockets (requests, feed, work) are ipc:// in a folder that only this user can enter: it is made with mode
 * 0700 and refused when it belongs to somebody else or lets others in. TCP beyond loopback is refused for every
 * endpoint unless wire.insecure says otherwise. Options set here: high-water marks, the largest message, no linger,
 * ZMQ_IMMEDIATE for requests and work (nothing is queued for a peer that is not there), reconnection within two
 * seconds. A socket belongs to the thread that opened it. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "settings.h"

enum endpoint {
    ENDPOINT_REQUESTS,    /* broker ROUTER, gateway DEALER */
    ENDPOINT_FEED,        /* broker XPUB, gateway SUB */
    ENDPOINT_WORK,        /* broker ROUTER, worker DEALER */
    ENDPOINT_PUBLISH,     /* broker SUB (of everything), outside PUB */
    ENDPOINT_PUBLISH_ACK, /* broker ROUTER, outside DEALER */
    ENDPOINT_TAP,         /* broker XPUB, outside SUB */
};

#define ENDPOINTS          (ENDPOINT_TAP + 1)
#define ENDPOINT_TEXT_MAX  256 /* bytes of an address with the final NUL */
#define ENDPOINT_IPC_MAX   107 /* bytes of a path: sun_path of unix(7) without its NUL */
#define ENDPOINT_RETRY_MS  100 /* first pause before a broken connection is tried again */
#define ENDPOINT_RETRY_MAX 2000

/* The address of an endpoint, checked; "" when the setting is `off`. */
enum err endpoint_address(const struct settings *settings, enum endpoint which, char out[ENDPOINT_TEXT_MAX],
                          struct fault *why) MUST_CHECK;

/* As in the settings and in the name of its ipc file. */
const char *endpoint_name(enum endpoint which);
/* Is the broker's end a ROUTER? */
bool endpoint_is_routed(enum endpoint which);
/* The longest frame a peer may send; one that sends more is disconnected. */
int64_t endpoint_bytes_max(const struct settings *settings, enum endpoint which);
/* Bytes that may wait at a ROUTER for a peer that does not read, and how many peers it has. */
size_t endpoint_peer_bytes_max(enum endpoint which);
uint32_t endpoint_peers_max(enum endpoint which);
/* The address for a ROUTER: checked, its folder made, and what is in the way refused. "" when it is `off`. */
enum err endpoint_prepare(const struct settings *settings, enum endpoint which, char out[ENDPOINT_TEXT_MAX],
                          struct fault *why) MUST_CHECK;

/* Opens the broker's end with libzmq and binds it (a ROUTER too: for whoever plays the broker). *socket is NULL when
 * the endpoint is `off`. An ipc file left behind by a killed process is replaced; a file that is no socket is refused.
 * Closed with zmq_close(). */
enum err endpoint_bind(void **socket, void *context, const struct settings *settings, enum endpoint which,
                       struct fault *why) MUST_CHECK;
/* Opens the other end and connects it; the peer need not be there yet. */
enum err endpoint_connect(void **socket, void *context, const struct settings *settings, enum endpoint which,
                          struct fault *why) MUST_CHECK;

/* Is the address loopback or ipc, or is `insecure` given? Says why not. */
enum err endpoint_check(const char *address, bool insecure, struct fault *why) MUST_CHECK;

#endif
