#include "uplink.h"

#include "actor.h"
#include "clock.h"
#include "link.h"
#include "link_state.h"
#include "log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS_MAX       (2 * UPLINK_CALLS_MAX) /* beyond: ERR_FULL to the caller */
#define LETTERS_PER_ROUND 256
#define FRAMES_PER_ROUND  64
#define STOP_DEADLINE_MS  15000

enum letter { LETTER_CALL = 1, LETTER_FRAME, LETTER_DRAINED, LETTER_BROKEN };

struct uplink {
    const struct settings *settings;
    const struct uplink_feed *feed;
    struct actor *actor;
    atomic_bool ready;
    atomic_uint_fast64_t links_opened;

    /* The actor's thread only, from here on. */
    struct link *link; /* NULL: could not be made */
    struct link_state state;
    struct link_hands hands;
    bool letter_held; /* the DEALER had no room: the mailbox is not read */
    struct mail held_letter;
    struct pending *pending;
    bool stopping;
};

/* ---- the hands of link_state ---- */

static enum err send_on_link(void *ctx, const struct request_frame *frame)
{
    struct uplink *self = ctx;
    return link_send(self->link, frame);
}

static uint64_t renew_link(void *ctx, const char *reason)
{
    struct uplink *self = ctx;
    struct fault why;
    if (reason)
        log_warning("link to the broker lost", "reason", reason, NULL);
    link_destroy(&self->link);
    if (link_new(&self->link, self->settings, &why) != ERR_OK)
        log_error("no link to the broker can be made", "reason", why.text, NULL);
    return self->link ? link_id(self->link) : 0;
}

static void note_open(struct uplink *self, uint64_t link)
{
    char id[24];
    snprintf(id, sizeof id, "%016" PRIx64, link);
    log_info("link to the broker is open", "link", id, "term", LOG_NUMBER(self->state.place.term), NULL);
    atomic_fetch_add(&self->links_opened, 1);
}

static void tell_link(void *ctx, uint64_t link)
{
    struct uplink *self = ctx;
    if (link)
        note_open(self, link);
    atomic_store(&self->ready, link != 0);
    if (self->feed)
        self->feed->link(self->feed->ctx, link);
}

static bool give_batch(void *ctx, uint64_t link, struct bytes bytes)
{
    const struct uplink *self = ctx;
    return !self->feed || self->feed->batch(self->feed->ctx, link, bytes.at, bytes.len);
}

/* ---- what comes ---- */

static void read_feed(struct uplink *self)
{
    struct bytes bytes;
    const struct link *link = self->link;
    for (int i = 0; i < FRAMES_PER_ROUND && !self->state.batch_held && self->link == link; i++) {
        if (link_next_batch(self->link, &bytes) != ERR_OK)
            return;
        link_state_batch(&self->state, bytes);
    }
}

static void read_answers(struct uplink *self)
{
    struct bytes bytes;
    const struct link *link = self->link;
    for (int i = 0; i < FRAMES_PER_ROUND && self->link == link; i++) {
        if (link_next_answer(self->link, &bytes) != ERR_OK)
            return;
        if (!link_state_answer(&self->state, bytes))
            log_warning("a frame of the broker makes no sense here", "bytes", LOG_NUMBER(bytes.len), NULL);
    }
}

/* Attach and detach concern one link; what is meant for an older one is void. */
static enum err forward_frame(struct uplink *self, const struct request_frame *frame)
{
    return frame->link == self->state.id && link_state_open(&self->state) ? link_send(self->link, frame) : ERR_OK;
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
    case LETTER_DRAINED: link_state_offer_again(&self->state); break;
    case LETTER_BROKEN:
        if (letter->number == self->state.id)
            link_state_broken(&self->state, "a record that does not decode");
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

static void wait_for_work(struct uplink *self, struct mailbox *box, bool calls_due, struct link_ready *out)
{
    struct link_ready want = {.feed = !self->state.batch_held,
                              .requests = true,
                              .room = link_state_open(&self->state) && (calls_due || self->letter_held),
                              .letters = !self->letter_held};
    int64_t left = self->state.next_beat_ms - clock_monotonic_ms();
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
    bool calls_due = link_state_send_calls(&self->state);
    wait_for_work(self, box, calls_due, &ready);
    link_state_set_time(&self->state, clock_monotonic_ms());
    if (ready.lost)
        link_state_broken(&self->state, "the connection broke");
    if (ready.requests && self->link)
        read_answers(self);
    if (ready.feed && self->link && !self->state.batch_held)
        read_feed(self);
    if (ready.letters || self->letter_held)
        read_letters(self, box);
    link_state_tick(&self->state);
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
    enum err err = link_new(&self->link, self->settings, &why);
    self->hands = (struct link_hands){self, send_on_link, renew_link, tell_link, give_batch};
    link_state_init(&self->state, &self->hands, self->pending, self->settings->wire.beat_ms,
                    self->settings->wire.link_window, self->link ? link_id(self->link) : 0, clock_monotonic_ms());
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
