#include "link_state.h"

#define BEATS_MISSING_MAX 3  /* then an open link is lost */
#define BEATS_OPENING_MAX 10 /* then an opening link is tried anew */

enum link_step link_take(struct link_place *self, const struct feed_batch *batch)
{
    bool beat = batch->count == 0;
    if (self->phase == LINK_OPENING) {
        if (batch->number > 1 || (!beat && batch->number != 1))
            return LINK_BROKEN;
        *self = (struct link_place){LINK_OPEN, batch->term, batch->number};
        return beat ? LINK_BEAT : LINK_NEXT;
    }
    if (batch->term != self->term || batch->number != self->number + !beat)
        return LINK_BROKEN;
    self->number = batch->number;
    return beat ? LINK_BEAT : LINK_NEXT;
}

void link_state_init(struct link_state *self, const struct link_hands *hands, struct pending *pending, int64_t beat_ms,
                     uint64_t window, uint64_t id, int64_t now_ms)
{
    *self = (struct link_state){.hands = hands,
                                .pending = pending,
                                .beat_ms = beat_ms,
                                .window = window,
                                .id = id,
                                .place = {LINK_OPENING, 0, 0},
                                .now_ms = now_ms,
                                .heard_ms = now_ms,
                                .next_beat_ms = now_ms + beat_ms};
}

void link_state_set_time(struct link_state *self, int64_t now_ms)
{
    self->now_ms = now_ms;
}

bool link_state_open(const struct link_state *self)
{
    return self->id && self->place.phase == LINK_OPEN;
}

enum err link_state_send(void *ctx, const struct request_frame *frame)
{
    struct link_state *self = ctx;
    return link_state_open(self) ? self->hands->send(self->hands->ctx, frame) : ERR_FULL;
}

static void lose(struct link_state *self, const char *reason)
{
    bool open = link_state_open(self);
    if (open) {
        self->hands->link(self->hands->ctx, 0);
        pending_link_lost(self->pending);
    }
    self->batch_held = false;
    self->place = (struct link_place){LINK_OPENING, 0, 0};
    self->taken = self->acknowledged = 0;
    self->heard_ms = self->now_ms;
    self->id = self->hands->renew(self->hands->ctx, open ? reason : NULL);
}

void link_state_broken(struct link_state *self, const char *reason)
{
    lose(self, reason);
}

static void send_beat(struct link_state *self)
{
    struct request_frame beat = {.kind = REQUEST_BEAT, .link = self->id, .number = self->taken};
    if (self->hands->send(self->hands->ctx, &beat) == ERR_OK)
        self->acknowledged = self->taken; /* otherwise the next beat says it */
}

/* A full window stops the broker, so it is told at every quarter and not only with the beats. */
static void acknowledge(struct link_state *self)
{
    uint64_t quarter = self->window / 4;
    if (self->taken - self->acknowledged >= (quarter ? quarter : 1))
        send_beat(self);
}

static void offer(struct link_state *self, struct bytes bytes)
{
    self->batch_held = !self->hands->batch(self->hands->ctx, self->id, bytes);
    self->held = bytes;
    if (self->batch_held)
        return;
    self->taken = self->place.number;
    self->heard_ms = self->now_ms; /* also after a hold: silence counts from the end of our own deafness */
    acknowledge(self);
}

void link_state_offer_again(struct link_state *self)
{
    if (self->batch_held)
        offer(self, self->held);
}

void link_state_batch(struct link_state *self, struct bytes bytes)
{
    struct feed_batch head;
    struct unpack rest;
    bool opening = self->place.phase == LINK_OPENING;
    if (feed_batch_read(&head, &rest, bytes.at, bytes.len) != ERR_OK) {
        lose(self, "a batch that does not decode");
        return;
    }
    if (link_take(&self->place, &head) == LINK_BROKEN) {
        lose(self, "batches missing or a new term");
        return;
    }
    if (opening)
        self->hands->link(self->hands->ctx, self->id);
    offer(self, bytes);
}

bool link_state_answer(struct link_state *self, struct bytes bytes)
{
    struct request_frame frame;
    if (request_frame_read(&frame, bytes.at, bytes.len) != ERR_OK)
        return false;
    switch (frame.kind) {
    case REQUEST_ANSWER:
    case REQUEST_ACCEPTED: pending_answer(self->pending, &frame); return true;
    case REQUEST_HELLO: lose(self, "the broker does not know it"); return true;
    case REQUEST_ATTACH:
    case REQUEST_DETACH:
    case REQUEST_BEAT:
    case REQUEST_CALL:
    case REQUEST_FORGET: return false;
    }
    return false;
}

bool link_state_send_calls(struct link_state *self)
{
    return link_state_open(self) && pending_send(self->pending, self->id, link_state_send, self);
}

static void check_silence(struct link_state *self)
{
    int64_t beats = link_state_open(self) ? BEATS_MISSING_MAX : BEATS_OPENING_MAX;
    if (!self->batch_held && self->now_ms - self->heard_ms > beats * self->beat_ms)
        lose(self, "the broker is silent");
}

void link_state_tick(struct link_state *self)
{
    if (self->now_ms < self->next_beat_ms)
        return;
    self->next_beat_ms = self->now_ms + self->beat_ms;
    check_silence(self);
    link_state_offer_again(self);
    if (link_state_open(self))
        send_beat(self);
    pending_sweep(self->pending, self->now_ms, link_state_send, self);
}
