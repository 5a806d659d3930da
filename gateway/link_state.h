/* link_state - the rule of the link between gateway and broker: when it is open, which batches count, what is
 * acknowledged, when it is lost and what then goes out again. Pure: no sockets, no clock, no threads. The uplink's loop
 * and the simulator give it different hands; the frames are those of wire/request_frame.h and wire/feed_frame.h.
 *
 * The owner tells it what came (link_state_batch(), link_state_answer(), link_state_broken()) and lets it act once a
 * beat (link_state_tick()). Whenever a link is lost it asks for another one; bytes read from the older one, also those
 * of the running call, are void from then on. */
#ifndef LINK_STATE_H
#define LINK_STATE_H

#include "pending.h"
#include "wire/feed_frame.h"

enum link_phase { LINK_OPENING, LINK_OPEN };

/* Where a link has got to: plain data, decided by link_take() alone. */
struct link_place {
    enum link_phase phase;
    uint64_t term;
    uint64_t number; /* of the last batch */
};

/* What a batch means: the next one (or the first), a beat, or that the link is broken. */
enum link_step { LINK_NEXT, LINK_BEAT, LINK_BROKEN };
enum link_step link_take(struct link_place *self, const struct feed_batch *batch);

/* All are called from inside link_state functions and must not call them. */
struct link_hands {
    void *ctx;
    /* On the present link; ERR_FULL: nothing was taken. */
    enum err (*send)(void *ctx, const struct request_frame *frame);
    /* Gives the present link up and makes another; returns its id, 0 = could not be made, asked again later. reason:
     * what ended an open link; NULL for one that was never opened. */
    uint64_t (*renew)(void *ctx, const char *reason);
    void (*link)(void *ctx, uint64_t link); /* as in struct uplink_feed */
    bool (*batch)(void *ctx, uint64_t link, struct bytes bytes);
};

struct link_state {
    const struct link_hands *hands; /* borrowed */
    struct pending *pending;        /* calls without an answer; borrowed */
    int64_t beat_ms;
    uint64_t window; /* wire.link_window */
    uint64_t id;     /* of the link; 0 = none could be made */
    struct link_place place;
    int64_t now_ms, heard_ms, next_beat_ms;
    uint64_t taken, acknowledged; /* batch numbers: given to the feed's reader; told to the broker */
    bool batch_held;              /* the reader had no room: the feed is not to be read */
    struct bytes held;
};

/* id: of the first link. */
void link_state_init(struct link_state *self, const struct link_hands *hands, struct pending *pending, int64_t beat_ms,
                     uint64_t window, uint64_t id, int64_t now_ms);
void link_state_set_time(struct link_state *self, int64_t now_ms); /* monotonic; before each round */
bool link_state_open(const struct link_state *self);

/* One batch of the feed. The bytes stay borrowed while batch_held is true. */
void link_state_batch(struct link_state *self, struct bytes bytes);
void link_state_offer_again(struct link_state *self); /* the held batch, if there is one */
/* One frame of the broker. false: it makes no sense here. */
bool link_state_answer(struct link_state *self, struct bytes bytes);
/* One of its connections broke, or what came on it does not decode. Also while it is opening: a subscription that
 * ZeroMQ makes again by itself looks like a link on which nothing has happened yet, and the broker knows no attach that
 * was sent before. */
void link_state_broken(struct link_state *self, const char *reason);
/* Sends calls that are due; true when some remain. */
bool link_state_send_calls(struct link_state *self);
/* ERR_FULL when no link is open. */
enum err link_state_send(void *self, const struct request_frame *frame) MUST_CHECK;
/* Silence, beats and deadlines, once a beat. */
void link_state_tick(struct link_state *self);

#endif
