/* referee - knows what Sheetwire promises and looks at everything: each change before it is on disk, each frame as it
 * leaves the broker, each answer and event where it arrives, and in the end whether everything has come to its end. */
#ifndef REFEREE_H
#define REFEREE_H

#include "broker.h"
#include "model_store.h"
#include "uplink.h"
#include "wire/feed_frame.h"

struct referee;

enum err referee_new(struct referee **out) MUST_CHECK;
void referee_free(struct referee **self_p);

/* ---- the broker ---- */

void referee_change(struct world *world, const struct change *change); /* before it is applied */
void referee_committed(struct world *world);                           /* after the last one of a batch */
void referee_leaves(struct world *world, const struct effect *effect);
/* 503 or 507, for a turn that was thrown away. */
void referee_refuses(struct world *world, const unsigned char id[REQUEST_ID_LEN]);
void referee_call_arrives(struct world *world, const struct request_frame *frame);
void referee_refuses_event(struct world *world, const struct event_name *event); /* likewise */
void referee_room_old(struct world *world, int chat);
void referee_work_arrives(struct world *world, const struct work_frame *frame);

/* ---- callers and publishers ---- */

struct asked {
    unsigned char id[REQUEST_ID_LEN];
    enum call call;
    int chat;   /* -1: a new one */
    bool waits; /* for the end of its run */
    bool keyed;
    struct idempotency key;
    size_t events, files; /* of the dump that is to be restored */
};
void referee_asked(struct world *world, const struct asked *asked); /* copies it */
void referee_answered(struct world *world, const struct asked *asked, const struct uplink_answer *answer);
void referee_accepted(struct world *world, const struct asked *asked, const char *job_id);
void referee_published(struct world *world, int chat, const char *event_id, uint64_t seq);

/* ---- the end ---- */

void referee_count_open(struct world *world); /* when the faults stop: what there is to come to an end */
/* What is still under way; NULL = nothing. Valid until the next call. */
const char *referee_open(struct world *world);
void referee_blame(struct world *world, const char *open);
void referee_last_look(struct world *world);

#endif
