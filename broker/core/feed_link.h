/* feed_link - one gateway's stream: batches numbered without a hole, at most `link_window` of them unacknowledged,
 * beats in between. What does not fit waits: durable events in the record, progress as its newest value (follow.c).
 * Part of the core's state (state.h). */
#ifndef FEED_LINK_H
#define FEED_LINK_H

#include "core/state.h"
#include "wire/feed_frame.h"

#define LINK_ATTACHES 1000000 /* attaches of one link; beyond: refused */

struct follow;

struct feed_link {
    uint64_t number;
    uint64_t sent, acked; /* newest batch that left, newest one the gateway has */
    struct buf batch;     /* the open one; empty = none */
    uint32_t batch_count;
    int64_t heard_ms, beat_ms;
    struct strmap *attaches; /* attach id -> struct attach */
    struct follow *follows;  /* chats somebody on this link wants */
    struct follow *behind;   /* of these, the ones that still miss something */
};

struct feed_link *feed_link_find(const struct core *core, uint64_t number);
void feed_link_opened(struct core *core, uint64_t number); /* an open link of that number starts afresh */
void feed_link_closed(struct core *core, struct feed_link *self);
/* The gateway was heard; `received` = its newest batch. */
void feed_link_heard(struct core *core, struct feed_link *self, uint64_t received);
/* Records that go into one batch. false: the window is full (or the core failed): none was taken. */
bool feed_link_add(struct core *core, struct feed_link *self, const struct feed_record *records, size_t count);
bool feed_link_has_room(const struct core *core, const struct feed_link *self);
void feed_link_flush(struct core *core, struct feed_link *self); /* sends the open batch */
/* Beats, and the end of links that were silent for more than three beats. */
void feed_link_tick(struct core *core);

#endif
