/* uplink - the gateway's one way to the broker: an actor that owns the DEALER to the broker's requests socket and the
 * SUB of its feed (common/wire/request_frame.h, feed_frame.h). HTTP threads and the WebSocket loop speak to it only
 * through this header; no other thread touches its sockets.
 *
 * A *link* is one subscription `link/<id>/` under a random id. It is open when its first batch has come. It is lost
 * when a connection breaks, a batch number is missing, nothing came for three beats, the broker's term changed or the
 * broker said HELLO; then a new one is opened under a new id. The uplink tells its feed sink so, which attaches every
 * session again from the last seq it delivered.
 *
 * Calls. A call is sent on an open link only, under a random request id. When the link is lost before its answer, the
 * call is sent again on the next link under the same id: the broker changes nothing twice. A call that was never handed
 * to a connected socket within UPLINK_SEND_MS is answered by the uplink itself with 503 ("not accepted, and never will
 * be"); one that was sent waits up to its own deadline and is then answered 504: nobody knows whether it was accepted,
 * a GET tells. */
#ifndef UPLINK_H
#define UPLINK_H

#include "settings.h"
#include "wire/request_frame.h"

/* Calls without an answer; beyond: uplink_call() gives ERR_FULL and the caller says 503. */
#define UPLINK_CALLS_MAX           4096
#define UPLINK_SEND_MS             2000 /* a call that could not be sent for so long is answered 503 */
#define UPLINK_RETRY_AFTER_SECONDS 2    /* for `Retry-After` of a 503 */

struct uplink;
struct uplink_call; /* one call, from uplink_call() to uplink_forget() */

struct uplink_answer {
    uint16_t status;      /* HTTP status, from the broker or (503, 504) from the uplink */
    bool own;             /* the uplink answers, not the broker */
    bool sent;            /* the call reached a connected socket at least once */
    struct bytes message; /* for people; borrowed until the callback returns */
    struct bytes body;    /* JSON; borrowed until the callback returns; empty = null */
};

/* Both run in the uplink's thread, must not block and must not call uplink_forget() of another thread's call while
 * holding a lock that thread may hold. on_answer comes exactly once unless the call was forgotten before. */
typedef void uplink_on_answer(void *ctx, const struct uplink_answer *answer);
typedef void uplink_on_accepted(void *ctx,
                                const char *job_id); /* CALL_EXECUTE is on disk; may come again after a loss */

/* Calls under the same key are one call; under the same key with another fingerprint it is an error of the client. */
struct idempotency {
    unsigned char key[REQUEST_ID_LEN];
    uint64_t fingerprint;
};

struct uplink_request {
    enum call call;
    const char *chat; /* NULL or "" = none; copied */
    const char *body; /* JSON object; copied */
    size_t len;
    const char *trace;             /* NULL = none; copied */
    const struct idempotency *key; /* NULL = none; copied */
    int deadline_ms;               /* from now; counts until the answer */
    uplink_on_answer *on_answer;
    uplink_on_accepted *on_accepted; /* NULL allowed */
    void *ctx;                       /* borrowed until on_answer has returned or uplink_forget() returns */
};

/* Where feed batches go: the WebSocket loop. The functions run in the uplink's thread and must not block. */
struct uplink_feed {
    void *ctx;
    /* A new link is open: attach everything again. Everything of earlier links is void. 0: the link was lost. */
    void (*link)(void *ctx, uint64_t link);
    /* One batch as received, checked for order and term only. false: no room now. The uplink then keeps this batch,
     * reads no further one and acknowledges nothing beyond the last batch taken; it offers it again with the next beat
     * or when uplink_feed_drained() is called. The broker's window (wire.link_window) then closes this link by itself,
     * and ZeroMQ holds at most that many batches for us: nothing is lost and nothing grows. `bytes` is borrowed. */
    bool (*batch)(void *ctx, uint64_t link, const void *bytes, size_t len);
};

/* settings and feed are borrowed until uplink_stop() returns. feed may be NULL: batches are then acknowledged and
 * dropped. Returns when the sockets exist, without waiting for a broker. */
enum err uplink_start(struct uplink **out, const struct settings *settings, const struct uplink_feed *feed,
                      struct fault *why) MUST_CHECK;
/* Unanswered calls get a 503 or 504 now. Handles stay valid until they are forgotten. */
void uplink_stop(struct uplink **self_p);

bool uplink_ready(const struct uplink *self);            /* a link is open. Any thread */
uint64_t uplink_links_opened(const struct uplink *self); /* counter. Any thread */

/* Any thread. *out (may not be NULL) is the caller's until uplink_forget(). ERR_FULL: too many calls, nothing was sent.
 */
enum err uplink_call(struct uplink *self, const struct uplink_request *request, struct uplink_call **out) MUST_CHECK;
/* Must be called once for every call, before or after its answer; takes NULL. Before: the broker is told that nobody
 * waits any more. When it returns no callback of this call runs or will run (from inside its own callback: none after
 * it). */
void uplink_forget(struct uplink_call **call_p);

/* Any thread: attach and detach a session of the WebSocket loop on a link. Dropped when that link is no longer the open
 * one (opened() has been or will be called for a newer). ERR_FULL: nothing was sent, the caller tries again. */
struct uplink_attach {
    uint64_t link;
    uint64_t attach; /* unique within the link */
    const char *chat;
    bool has_since;
    uint64_t since;
    const char *epoch; /* "" = none */
};
enum err uplink_attach(struct uplink *self, const struct uplink_attach *attach) MUST_CHECK;
enum err uplink_detach(struct uplink *self, uint64_t link, uint64_t attach) MUST_CHECK;
/* The feed sink has room again. */
void uplink_feed_drained(struct uplink *self);
/* A batch of that link did not decode: its link is to be lost. */
void uplink_feed_broken(struct uplink *self, uint64_t link);

#endif
