/* loop - the thread of the WebSockets: libuv waits, libwebsockets speaks the protocol, the hub decides who gets what.
 * The only file that knows libwebsockets. Everything in here runs in that one thread but for what struct loop_ends
 * says. */
#ifndef LOOP_H
#define LOOP_H

#include "actor.h"
#include "live/live.h"

enum loop_letter { LOOP_BATCH = 1, LOOP_LINK }; /* BATCH: number = link, body = one batch. LINK: look at ends->link */

#define LOOP_BATCHES_MAX 256 /* waiting between uplink and loop; beyond: the uplink keeps the batch */

/* What the loop and other threads share. */
struct loop_ends {
    const struct settings *settings; /* constant */
    struct live_counters *counters;  /* atomics */
    struct uplink *uplink;           /* constant while the loop runs */
    atomic_uint_fast64_t link;       /* the link that is open, 0 = none; written by the uplink's thread */
    atomic_bool starved;             /* the uplink found the mailbox full and wants to be told of room */
    atomic_int drain_ms;             /* how long closing may take; written before MAIL_STOP */
    atomic_uint port;                /* bound; written before the actor is ready */
};

void loop_body(struct actor *actor, struct mailbox *box, void *arg); /* arg: struct loop_ends */

#endif
