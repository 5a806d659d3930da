/* live - the WebSocket half of the gateway: one thread, one libwebsockets context on libuv, every browser socket.
 *
 * main():  live_new() -> uplink_start(live_feed()) -> live_start() -> ... -> live_stop() -> uplink_stop() ->
 * live_destroy(). The three steps exist because uplink and live speak to each other: batches come up through
 * live_feed(), attaches go down through the uplink. */
#ifndef LIVE_H
#define LIVE_H

#include "uplink.h"

#include <stdatomic.h>

struct live;

/* Counters, written by the loop, readable at any time from any thread. */
struct live_counters {
    atomic_uint_fast64_t sockets;       /* open now */
    atomic_uint_fast64_t sockets_total; /* accepted since the start */
    atomic_uint_fast64_t refused;       /* handshakes answered with an HTTP error */
    atomic_uint_fast64_t refused_full;  /* beyond chat_workflows.max_connections */
    atomic_uint_fast64_t frames_out;    /* WebSocket frames handed to the system */
    atomic_uint_fast64_t bytes_out;
    atomic_uint_fast64_t conflated;   /* progress replaced by newer progress before it was sent */
    atomic_uint_fast64_t closed_slow; /* closed with "resume me" */
    atomic_uint_fast64_t messages_in;
    atomic_uint_fast64_t links_opened;
    atomic_uint_fast64_t batches_in;
};

enum err live_new(struct live **out, const struct settings *settings, struct fault *why) MUST_CHECK;
const struct uplink_feed *live_feed(struct live *self);
/* Binds chat_workflows.websocket.host and port (0 = any, see live_port()) and starts the thread. */
enum err live_start(struct live *self, struct uplink *uplink, struct fault *why) MUST_CHECK;
uint16_t live_port(const struct live *self);
/* Accepts nobody more, closes sockets in paced batches with 1001 and a retry hint, at most until the deadline; then
 * joins. */
void live_stop(struct live *self, int deadline_ms);
void live_destroy(struct live **self_p); /* the uplink must be stopped */
const struct live_counters *live_counters(const struct live *self);

#endif
