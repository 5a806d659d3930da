#include "uplink.h"

#include "actor.h"
#include "clock.h"
#include "link.h"
#include "log.h"
#include "pending.h"

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_MAX       (2 * UPLINK_CALLS_MAX) /* beyond: ERR_FULL to the caller */
#define LETTERS_PER_ROUND 256
#define FRAMES_PER_ROUND  64
#define BEATS_MISSING_MAX 3  /* then an open link is lost */
#define BEATS_OPENING_MAX 10 /* then an opening link is tried anew */
#define STOP_DEADLINE_MS  15000

enum letter { LETTER_CALL = 1, LETTER_FRAME, LETTER_DRAINED, LETTER_BROKEN };

struct uplink {
    const struct settings *settings;
    const struct uplink_feed *feed;
    struct actor *actor;
    atomic_bool ready;
    atomic_uint_fast64_t links_opened;

    /* The actor's thread only, from here on. */
    struct link *link; /* NULL: could not be made, tried again at the next beat */
    struct link_place place;
    int64_t now_ms, heard_ms, next_beat_ms;
    uint64_t taken, acknowledged; /* batch numbers: given to the feed sink; told to the broker */
    bool batch_held;              /* the sink had no room: the feed is not read */
    struct bytes held_batch;
    bool letter_held; /* the DEALER had no room: the mailbox is not read */
    struct mail held_letter;
    struct pending *pending;
    bool stopping;
};

static bool is_open(const struct uplink *self)
{
    return self->link && self->place.state == LINK_OPEN;
}

static enum err send_frame(void *ctx, const struct request_frame *frame)
{
    struct uplink *self = ctx;
    return is_open(self) ? link_send(self->link, frame) : ERR_FULL;
}

static void tell_feed(const struct uplink *self, uint64_t link)
{
    if (self->feed)
        self->feed->link(self->feed->ctx, link);
}

static void open_link(struct uplink *self)
{
    struct fault why;
    self->place = (struct link_place){LINK_OPENING, 0, 0};
    self->taken = self->acknowledged = 0;
    self->heard_ms = self->now_ms;
    if (link_new(&self->link, self->settings, &why) != ERR_OK)
        log_error("no link to the broker can be made", "reason", why.text, NULL);
}

static void lose_link(struct uplink *self, const char *reason)
{
    if (is_open(self)) {
        log_warning("link to the broker lost", "reason", reason, NULL);
        atomic_store(&self->ready, false);
        tell_feed(self, 0);
        pending_link_lost(self->pending);
    }
    self->batch_held = false;
    link_destroy(&self->link);
    open_link(self);
}

static void note_open(struct uplink *self)
{
    char id[24];
    snprintf(id, sizeof id, "%016" PRIx64, link_id(self->link));
    log_info("link to the broker is open", "link", id, "term", LOG_NUMBER(self->place.term), NULL);
    atomic_fetch_add(&self->links_opened, 1);
    atomic_store(&self->ready, true);
    tell_feed(self, link_id(self->link));
}

static void send_beat(struct uplink *self)
{
    struct request_frame beat = {.kind = REQUEST_BEAT, .link = link_id(self->link), .number = self->taken};
    if (link_send(self->link, &beat) == ERR_OK)
        self->acknowledged = self->taken; /* otherwise the next beat says it */
}

/* A full window stops the broker, so it is told at every quarter and not only with the beats. */
static void acknowledge(struct uplink *self)
{
    uint64_t quarter = self->settings->wire.link_window / 4;
    if (self->taken - self->acknowledged >= (quarter ? quarter : 1))
        send_beat(self);
}

static void offer_batch(struct uplink *self, struct bytes bytes)
{
    uint64_t id = link_id(self->link);
    self->batch_held = self->feed && !self->feed->batch(self->feed->ctx, id, bytes.at, bytes.len);
    self->held_batch = bytes;
    if (self->batch_held)
        return;
    self->taken = self->place.number;
    self->heard_ms = self->now_ms; /* also after a hold: silence counts from the end of our own deafness */
    acknowledge(self);
}

static void take_batch(struct uplink *self, struct bytes bytes)
{
    struct feed_batch head;
    struct unpack rest;
    bool opening = self->place.state == LINK_OPENING;
    if (feed_batch_read(&head, &rest, bytes.at, bytes.len) != ERR_OK) {
        lose_link(self, "a batch that does not decode");
        return;
    }
    switch (link_take(&self->place, &head)) {
    case LINK_BROKEN: lose_link(self, "batches missing or a new term"); return;
    case LINK_NEXT:
    case LINK_BEAT: break;
    }
    if (opening)
        note_open(self);
    offer_batch(self, bytes);
}

static void read_feed(struct uplink *self)
{
    struct bytes bytes;
    const struct link *link = self->link;
    for (int i = 0; i < FRAMES_PER_ROUND && !self->batch_held && self->link == link; i++) {
        if (link_next_batch(self->link, &bytes) != ERR_OK)
            return;
        take_batch(self, bytes);
    }
}

static void take_answer(struct uplink *self, struct bytes bytes)
{
    struct request_frame frame;
    if (request_frame_read(&frame, bytes.at, bytes.len) != ERR_OK) {
        log_warning("a frame of the broker does not decode", "bytes", LOG_NUMBER(bytes.len), NULL);
        return;
    }
    switch (frame.kind) {
    case REQUEST_ANSWER:
    case REQUEST_ACCEPTED: pending_answer(self->pending, &frame); break;
    case REQUEST_HELLO: lose_link(self, "the broker does not know it"); break;
    case REQUEST_ATTACH:
    case REQUEST_DETACH:
    case REQUEST_BEAT:
    case REQUEST_CALL:
    case REQUEST_FORGET: log_warning("the broker sent a gateway's frame", NULL); break;
    }
}

static void read_answers(struct uplink *self)
{
    struct bytes bytes;
    const struct link *link = self->link;
    for (int i = 0; i < FRAMES_PER_ROUND && self->link == link; i++) {
        if (link_next_answer(self->link, &bytes) != ERR_OK)
            return;
        take_answer(self, bytes);
    }
}

/* Attach and detach concern one link; what is meant for an older one is void. */
static enum err forward_frame(struct uplink *self, const struct request_frame *frame)
{
    if (!is_open(self) || frame->link != link_id(self->link))
        return ERR_OK;
    return link_send(self->link, frame);
}

/* ERR_FULL: the letter must wait; otherwise it is done with. */
static enum err handle_letter(struct uplink *self, struct mail *letter)
{
    enum err err = ERR_OK;
    switch (letter->kind) {
    case MAIL_STOP: self->stopping = true; break;
    case LETTER_CALL:
        pending_add(self->pending, letter->body);
        letter->body = NULL;
        break;
    case LETTER_FRAME: err = forward_frame(self, letter->body); break;
    case LETTER_DRAINED:
        if (self->batch_held)
            offer_batch(self, self->held_batch);
        break;
    case LETTER_BROKEN:
        if (is_open(self) && letter->number == link_id(self->link))
            lose_link(self, "a record that does not decode");
        break;
    }
    if (err != ERR_FULL)
        mail_fini(letter);
    return err;
}

static void read_letters(struct uplink *self, struct mailbox *box)
{
    if (self->letter_held)
        self->letter_held = handle_letter(self, &self->held_letter) == ERR_FULL;
    for (int i = 0; i < LETTERS_PER_ROUND && !self->letter_held && mailbox_take(box, &self->held_letter); i++)
        self->letter_held = handle_letter(self, &self->held_letter) == ERR_FULL;
}

static void check_silence(struct uplink *self)
{
    int64_t beats = is_open(self) ? BEATS_MISSING_MAX : BEATS_OPENING_MAX;
    if (!self->batch_held && self->now_ms - self->heard_ms > beats * self->settings->wire.beat_ms)
        lose_link(self, "the broker is silent");
}

static void tick(struct uplink *self)
{
    if (self->now_ms < self->next_beat_ms)
        return;
    self->next_beat_ms = self->now_ms + self->settings->wire.beat_ms;
    check_silence(self);
    if (self->batch_held)
        offer_batch(self, self->held_batch);
    if (is_open(self))
        send_beat(self);
    pending_sweep(self->pending, self->now_ms, send_frame, self);
}

static void wait_for_work(struct uplink *self, struct mailbox *box, bool calls_due, struct link_ready *out)
{
    struct link_ready want = {.feed = !self->batch_held,
                              .requests = true,
                              .room = is_open(self) && (calls_due || self->letter_held),
                              .letters = !self->letter_held};
    int64_t left = self->next_beat_ms - clock_monotonic_ms();
    int timeout = left > 0 ? (int)left : 0;
    if (self->link) {
        link_wait(self->link, &want, mailbox_fd(box), timeout, out);
        return;
    }
    struct pollfd fd = {mailbox_fd(box), POLLIN, 0};
    *out = (struct link_ready){.letters = poll(&fd, 1, timeout) > 0};
}

static void round_of_work(struct uplink *self, struct mailbox *box)
{
    struct link_ready ready;
    bool calls_due = is_open(self) && pending_send(self->pending, link_id(self->link), send_frame, self);
    wait_for_work(self, box, calls_due, &ready);
    self->now_ms = clock_monotonic_ms();
    if (ready.lost && is_open(self))
        lose_link(self, "the connection broke");
    if (ready.requests && self->link)
        read_answers(self);
    if (ready.feed && self->link && !self->batch_held)
        read_feed(self);
    if (ready.letters || self->letter_held)
        read_letters(self, box);
    tick(self);
}

/* The gateway stops: whoever still waits is told. */
static void wind_up(struct uplink *self, struct mailbox *box)
{
    struct mail letter;
    while (mailbox_take(box, &letter)) {
        if (letter.kind == LETTER_CALL) {
            pending_add(self->pending, letter.body);
            letter.body = NULL;
        }
        mail_fini(&letter);
    }
    if (self->letter_held)
        mail_fini(&self->held_letter);
    pending_refuse_all(self->pending);
    atomic_store(&self->ready, false);
    link_destroy(&self->link);
}

static void run(struct actor *actor, struct mailbox *box, void *arg)
{
    struct uplink *self = arg;
    struct fault why;
    self->now_ms = clock_monotonic_ms();
    self->next_beat_ms = self->now_ms + self->settings->wire.beat_ms;
    self->heard_ms = self->now_ms;
    enum err err = link_new(&self->link, self->settings, &why);
    actor_ready(actor, err, &why);
    while (err == ERR_OK && !self->stopping)
        round_of_work(self, box);
    wind_up(self, box);
}

static void destroy(struct uplink *self)
{
    pending_destroy(&self->pending);
    free(self);
}

enum err uplink_start(struct uplink **out, const struct settings *settings, const struct uplink_feed *feed,
                      struct fault *why)
{
    *out = NULL;
    struct uplink *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "uplink: no memory");
    self->settings = settings;
    self->feed = feed;
    enum err err = pending_new(&self->pending);
    if (err != ERR_OK)
        fault_set(why, err, "uplink: %s", err_name(err));
    else
        err = actor_start(&self->actor, "uplink", LETTERS_MAX, run, self, why);
    if (err == ERR_OK)
        *out = self;
    else
        destroy(self);
    return err;
}

void uplink_stop(struct uplink **self_p)
{
    struct uplink *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    actor_stop(&self->actor, STOP_DEADLINE_MS);
    destroy(self);
}

bool uplink_ready(const struct uplink *self)
{
    return atomic_load(&self->ready);
}

uint64_t uplink_links_opened(const struct uplink *self)
{
    return atomic_load(&self->links_opened);
}

enum err uplink_call(struct uplink *self, const struct uplink_request *request, struct uplink_call **out)
{
    enum err err = call_new(out, request, clock_monotonic_ms());
    if (err != ERR_OK)
        return err;
    /* *out is set before: the answer may come before this function returns. */
    struct uplink_call *call = *out;
    err = actor_tell(self->actor, &(struct mail){.kind = LETTER_CALL, .body = call, .free_body = call_release});
    if (err != ERR_OK) {
        call_release(call);
        call_forget(out);
    }
    return err;
}

void uplink_forget(struct uplink_call **call_p)
{
    call_forget(call_p);
}

static enum err tell_frame(struct uplink *self, const struct request_frame *frame)
{
    struct request_frame *copy = malloc(sizeof *copy);
    if (!copy)
        return ERR_MEMORY;
    *copy = *frame;
    enum err err = actor_tell(self->actor, &(struct mail){.kind = LETTER_FRAME, .body = copy, .len = sizeof *copy});
    if (err != ERR_OK)
        free(copy);
    return err;
}

enum err uplink_attach(struct uplink *self, const struct uplink_attach *attach)
{
    struct request_frame frame = {.kind = REQUEST_ATTACH,
                                  .link = attach->link,
                                  .attach = attach->attach,
                                  .has_since = attach->has_since,
                                  .since = attach->since};
    if (strlen(attach->chat) >= sizeof frame.chat || strlen(attach->epoch) >= sizeof frame.epoch)
        return ERR_INVALID;
    memcpy(frame.chat, attach->chat, strlen(attach->chat) + 1);
    memcpy(frame.epoch, attach->epoch, strlen(attach->epoch) + 1);
    return tell_frame(self, &frame);
}

enum err uplink_detach(struct uplink *self, uint64_t link, uint64_t attach)
{
    return tell_frame(self, &(struct request_frame){.kind = REQUEST_DETACH, .link = link, .attach = attach});
}

void uplink_feed_drained(struct uplink *self)
{
    enum err err = actor_tell(self->actor, &(struct mail){.kind = LETTER_DRAINED});
    (void)err; /* a full mailbox is read soon, and the next beat offers the batch again */
}

void uplink_feed_broken(struct uplink *self, uint64_t link)
{
    enum err err = actor_tell(self->actor, &(struct mail){.kind = LETTER_BROKEN, .number = link});
    (void)err; /* a full mailbox: the next batch that does not decode says it again */
}
