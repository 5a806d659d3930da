#include "lease_keeper.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RESEND_BEATS  2
#define RESEND_MS_MIN 500

struct event {
    struct event *next;
    uint64_t number;
    enum work_what what;
    int64_t sent_ms;
    bool sent;
    size_t event_len, detail_len;
    char bytes[]; /* event, then detail */
};

struct lease {
    struct token token; /* counter 0 and term 0: the place is free */
    bool held;
    bool finished;          /* the job is over */
    uint64_t number;        /* of the newest durable event */
    struct event *first;    /* unacknowledged, by number */
    struct event **last;    /* where the next one is linked */
    struct event *progress; /* the newest, not sent yet, or NULL */
    size_t bytes;
};

struct keeper {
    char worker[ID_HEX_LEN + 1];
    uint32_t slots;
    uint32_t beat_ms;
    uint64_t term;
    bool greeted;
    bool draining;
    bool bye_due;
    int64_t hello_due_ms, hello_sent_ms;
    int64_t beat_due_ms;
    struct event *saying; /* a progress handed out by keeper_next(), freed at the next call */
    size_t held;
    struct lease leases[WORK_TOKENS_MAX];
};

static bool same(struct token a, struct token b)
{
    return a.term == b.term && a.counter == b.counter;
}

static struct lease *find(const struct keeper *self, struct token token)
{
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
        const struct lease *lease = &self->leases[i];
        if (lease->held && same(lease->token, token))
            return (struct lease *)(uintptr_t)lease;
    }
    return NULL;
}

static void let_go(struct keeper *self, struct lease *lease)
{
    while (lease->first) {
        struct event *event = lease->first;
        lease->first = event->next;
        free(event);
    }
    free(lease->progress);
    *lease = (struct lease){.held = false};
    self->held--;
}

static void let_go_when_said(struct keeper *self, struct lease *lease)
{
    if (lease->finished && !lease->first)
        let_go(self, lease);
}

enum err keeper_new(struct keeper **out, const char *worker, uint32_t slots, uint32_t beat_ms)
{
    assert(slots <= WORK_TOKENS_MAX && strlen(worker) <= ID_HEX_LEN);
    struct keeper *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    memcpy(self->worker, worker, strlen(worker) + 1);
    self->slots = slots;
    self->beat_ms = beat_ms;
    return ERR_OK;
}

void keeper_destroy(struct keeper **self_p)
{
    struct keeper *self = *self_p;
    for (size_t i = 0; self && i < WORK_TOKENS_MAX; i++)
        if (self->leases[i].held)
            let_go(self, &self->leases[i]);
    if (self)
        free(self->saying);
    free(self);
    *self_p = NULL;
}

/* --- what the broker says --- */

/* A WELCOME that answers no HELLO of ours means that the broker does not know us (any more). One that comes soon after
 * a HELLO answers its repetition. */
static enum keeper_news take_surprise(struct keeper *self, uint64_t old_term, int64_t now_ms)
{
    bool repeated = self->term == old_term && now_ms - self->hello_sent_ms < (int64_t)self->beat_ms;
    if (!repeated)
        keeper_connected(self, now_ms);
    return KEEPER_NOTHING;
}

static enum keeper_news take_welcome(struct keeper *self, const struct work_frame *frame, int64_t now_ms)
{
    uint64_t old_term = self->term;
    self->term = frame->term;
    if (frame->beat_ms > 0)
        self->beat_ms = frame->beat_ms;
    if (self->greeted)
        return take_surprise(self, old_term, now_ms);
    self->greeted = true;
    self->beat_due_ms = now_ms + self->beat_ms;
    self->bye_due = self->draining;
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        for (struct event *event = self->leases[i].first; event; event = event->next)
            event->sent = false; /* the connection they went out on may be gone */
    return KEEPER_READY;
}

static enum keeper_news take_job(struct keeper *self, const struct work_frame *frame)
{
    if (find(self, frame->token))
        return KEEPER_NOTHING; /* said twice */
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++) {
        struct lease *lease = &self->leases[i];
        if (lease->held)
            continue;
        *lease = (struct lease){.token = frame->token, .held = true};
        lease->last = &lease->first;
        self->held++;
        return KEEPER_JOB;
    }
    return KEEPER_ODD; /* more than the slots we told it of; it sees from our beats that we do not hold it */
}

static void take_ack(struct keeper *self, struct lease *lease, uint64_t number)
{
    for (struct event **at = &lease->first; *at && (*at)->number <= number; at = &(*at)->next) {
        struct event *event = *at;
        if (event->number != number)
            continue;
        *at = event->next;
        if (!*at)
            lease->last = at;
        lease->bytes -= event->event_len + event->detail_len + KEEPER_EVENT_OVERHEAD;
        free(event);
        break;
    }
    let_go_when_said(self, lease);
}

enum keeper_news keeper_take(struct keeper *self, const struct work_frame *frame, int64_t now_ms)
{
    struct lease *lease = find(self, frame->token);
    switch (frame->kind) {
    case WORK_WELCOME: return take_welcome(self, frame, now_ms);
    case WORK_JOB: return take_job(self, frame);
    case WORK_ACK:
        if (lease)
            take_ack(self, lease, frame->number);
        return KEEPER_NOTHING;
    case WORK_REVOKE:
        if (!lease)
            return KEEPER_NOTHING;
        let_go(self, lease);
        return KEEPER_LOST;
    case WORK_HELLO:
    case WORK_BEAT:
    case WORK_EVENT:
    case WORK_BYE: break; /* a worker's words */
    }
    return KEEPER_ODD;
}

void keeper_connected(struct keeper *self, int64_t now_ms)
{
    self->greeted = false;
    self->hello_due_ms = now_ms;
}

/* --- what the job says --- */

static struct event *event_new(enum work_what what, uint64_t number, struct bytes event, struct bytes detail)
{
    struct event *self = malloc(sizeof *self + event.len + detail.len);
    if (!self)
        return NULL;
    *self = (struct event){.what = what, .number = number, .event_len = event.len, .detail_len = detail.len};
    if (event.len > 0)
        memcpy(self->bytes, event.at, event.len);
    if (detail.len > 0)
        memcpy(self->bytes + event.len, detail.at, detail.len);
    return self;
}

static void record_durable(struct lease *lease, struct event *event)
{
    lease->number = event->number;
    lease->bytes += event->event_len + event->detail_len + KEEPER_EVENT_OVERHEAD;
    *lease->last = event;
    lease->last = &event->next;
    free(lease->progress);
    lease->progress = NULL;
}

enum err keeper_record(struct keeper *self, struct token token, enum work_what what, struct bytes event,
                       struct bytes detail)
{
    struct lease *lease = find(self, token);
    if (!lease || lease->finished)
        return ERR_NOT_FOUND;
    bool durable = what != WORK_PROGRESS;
    if (durable && lease->bytes + event.len + detail.len + KEEPER_EVENT_OVERHEAD > KEEPER_LEASE_BYTES_MAX) {
        let_go(self, lease);
        return ERR_FULL;
    }
    struct event *made = event_new(what, lease->number + (durable ? 1 : 0), event, detail);
    if (!made) {
        let_go(self, lease);
        return ERR_MEMORY;
    }
    if (durable) {
        record_durable(lease, made);
    } else {
        free(lease->progress);
        lease->progress = made;
    }
    return ERR_OK;
}

void keeper_finish(struct keeper *self, struct token token)
{
    struct lease *lease = find(self, token);
    if (!lease)
        return;
    lease->finished = true;
    let_go_when_said(self, lease);
}

void keeper_drain(struct keeper *self)
{
    self->draining = true;
    self->bye_due = true;
}

void keeper_give_back(struct keeper *self, struct token token)
{
    struct lease *lease = find(self, token);
    if (!lease)
        return;
    let_go(self, lease);
    self->beat_due_ms = 0;
}

void keeper_leave(struct keeper *self)
{
    self->bye_due = true;
}

/* --- what is due --- */

static uint32_t free_slots(const struct keeper *self)
{
    uint32_t busy = 0;
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        busy += self->leases[i].held && !self->leases[i].finished;
    return self->draining || busy >= self->slots ? 0 : self->slots - busy;
}

static void write_state(const struct keeper *self, enum work_kind kind, struct work_frame *out)
{
    out->kind = kind;
    memcpy(out->worker, self->worker, sizeof out->worker);
    out->slots = self->slots;
    out->free_slots = free_slots(self);
    out->token_count = 0;
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        if (self->leases[i].held)
            out->tokens[out->token_count++] = self->leases[i].token;
}

static void write_event(const struct lease *lease, const struct event *event, struct work_frame *out)
{
    out->kind = WORK_EVENT;
    out->token = lease->token;
    out->number = event->number;
    out->what = event->what;
    out->event = (struct bytes){.at = event->bytes, .len = event->event_len};
    out->body = (struct bytes){.at = event->bytes + event->event_len, .len = event->detail_len};
}

static int64_t resend_ms(const struct keeper *self)
{
    int64_t beats = (int64_t)self->beat_ms * RESEND_BEATS;
    return beats > RESEND_MS_MIN ? beats : RESEND_MS_MIN;
}

/* When the oldest has gone unanswered for too long, all that follow it are said again too: the broker dropped them if
 * it never saw the oldest. */
static void expire(const struct keeper *self, struct lease *lease, int64_t now_ms)
{
    if (!lease->first || !lease->first->sent || now_ms - lease->first->sent_ms < resend_ms(self))
        return;
    for (struct event *event = lease->first; event; event = event->next)
        event->sent = false;
}

static bool next_event(struct keeper *self, struct lease *lease, int64_t now_ms, struct work_frame *out)
{
    expire(self, lease, now_ms);
    for (struct event *event = lease->first; event; event = event->next) {
        if (event->sent)
            continue;
        event->sent = true;
        event->sent_ms = now_ms;
        write_event(lease, event, out);
        return true;
    }
    if (!lease->progress)
        return false;
    self->saying = lease->progress;
    lease->progress = NULL;
    write_event(lease, self->saying, out);
    return true;
}

static bool next_hello(struct keeper *self, int64_t now_ms, struct work_frame *out)
{
    if (now_ms < self->hello_due_ms)
        return false;
    self->hello_due_ms = now_ms + self->beat_ms;
    self->hello_sent_ms = now_ms;
    write_state(self, WORK_HELLO, out);
    return true;
}

bool keeper_next(struct keeper *self, int64_t now_ms, struct work_frame *out)
{
    free(self->saying);
    self->saying = NULL;
    if (!self->greeted)
        return next_hello(self, now_ms, out);
    for (size_t i = 0; i < WORK_TOKENS_MAX; i++)
        if (self->leases[i].held && next_event(self, &self->leases[i], now_ms, out))
            return true;
    if (self->bye_due) {
        self->bye_due = false;
        write_state(self, WORK_BYE, out);
        return true;
    }
    if (now_ms < self->beat_due_ms)
        return false;
    self->beat_due_ms = now_ms + self->beat_ms;
    write_state(self, WORK_BEAT, out);
    return true;
}

int keeper_wait_ms(const struct keeper *self, int64_t now_ms)
{
    int64_t due = self->greeted ? self->beat_due_ms : self->hello_due_ms;
    for (size_t i = 0; self->greeted && i < WORK_TOKENS_MAX; i++) {
        const struct lease *lease = &self->leases[i];
        if (lease->held && (lease->progress || (lease->first && !lease->first->sent)))
            return 0;
        if (lease->held && lease->first && lease->first->sent_ms + resend_ms(self) < due)
            due = lease->first->sent_ms + resend_ms(self);
    }
    int64_t wait = due - now_ms;
    if (wait > (int64_t)self->beat_ms)
        wait = self->beat_ms;
    return wait < 0 ? 0 : (int)wait;
}

size_t keeper_held(const struct keeper *self)
{
    return self->held;
}

bool keeper_holds(const struct keeper *self, struct token token)
{
    return find(self, token) != NULL;
}

uint64_t keeper_term(const struct keeper *self)
{
    return self->term;
}
