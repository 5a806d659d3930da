/* What a client gets, frame by frame, held against the record and against what it asked for. */
#include "sim_client_inside.h"

#include "event.h"
#include "json_scan.h"
#include "model_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t sim_client_count(const bool chats[CHATS])
{
    size_t set = 0;
    for (int i = 0; i < CHATS; i++)
        set += chats[i];
    return set;
}

struct seen {
    struct json_members members;
    char type[65], chat[ID_CHAT_MAX + 1], job[TEXT_MAX], step[ID_UUID_LEN + 1], epoch[64], how[16];
    int64_t seq, head, attempt, progress;
    bool numbered, failed;
};

static void read_text(const struct seen *seen, const char *key, char *out, size_t size)
{
    out[0] = '\0';
    if (!json_member_plain_text(json_members_find(&seen->members, key), out, size))
        out[0] = '\0';
}

static int64_t read_number(const struct seen *seen, const char *key)
{
    int64_t value = 0;
    return json_member_int(json_members_find(&seen->members, key), &value) ? value : -1;
}

static bool read_seen(struct bytes text, struct seen *out)
{
    if (json_scan_object(text.at, text.len, &out->members, NULL) != ERR_OK)
        return false;
    read_text(out, "type", out->type, sizeof out->type);
    read_text(out, "chat_id", out->chat, sizeof out->chat);
    read_text(out, "job_id", out->job, sizeof out->job);
    read_text(out, "step_id", out->step, sizeof out->step);
    read_text(out, "epoch", out->epoch, sizeof out->epoch);
    read_text(out, "resume", out->how, sizeof out->how);
    out->seq = read_number(out, "seq");
    out->head = read_number(out, "head");
    out->attempt = read_number(out, "attempt");
    out->progress = read_number(out, "progress");
    char status[16];
    read_text(out, "status", status, sizeof status);
    out->failed = strcmp(status, "failed") == 0;
    out->numbered = out->seq > 0;
    return true;
}

void sim_client_forget_steps(struct sim_client *self, int chat)
{
    size_t left = 0;
    for (size_t i = 0; i < self->step_count; i++)
        if (self->steps[i].chat != chat)
            self->steps[left++] = self->steps[i];
    self->step_count = left;
}

static struct step_seen *step_of(struct sim_client *self, const struct seen *seen, int chat)
{
    for (size_t i = 0; i < self->step_count; i++)
        if (strcmp(self->steps[i].step, seen->step) == 0 && strcmp(self->steps[i].job, seen->job) == 0)
            return &self->steps[i];
    if (self->step_count == STEPS_SEEN)
        self->step_count = 0;
    struct step_seen *step = &self->steps[self->step_count++];
    *step = (struct step_seen){.chat = chat, .attempt = -1};
    memcpy(step->job, seen->job, sizeof step->job);
    memcpy(step->step, seen->step, sizeof step->step);
    return step;
}

static bool has_ended(const struct sim_client *self, const char *job)
{
    for (size_t i = 0; i < self->ended_count; i++)
        if (strcmp(self->ended[i], job) == 0)
            return true;
    return false;
}

/* A subscribe leaves the other chats. */
static void leave_others(struct sim_client *self, int chat)
{
    for (int i = 0; i < CHATS; i++) {
        if (i == chat || !self->follows[i])
            continue;
        world_saw(self->world, INV_LEFT_CHAT);
        self->follows[i] = false;
        resume_lost(&self->held[i]);
        if (self->cancelled_chat == i)
            self->cancelled[0] = '\0';
    }
}

/* Is what it is told the right answer to what it asked? */
static void check_answer(struct sim_client *self, int chat, const struct seen *seen)
{
    struct world *world = self->world;
    const struct asking *asked = &self->asked;
    const struct model_history *history = model_history(world, world_chats[chat], seen->epoch);
    bool same = asked->epoch[0] && strcmp(seen->epoch, asked->epoch) == 0;
    bool taken = history && asked->seq < history->trimmed, future = same && (int64_t)asked->seq > seen->head;
    const char *right = !asked->epoch[0] ? "snapshot" : !same ? "reset" : future ? "snapshot" : "resumed";
    if (strcmp(seen->how, right) != 0 && !(same && taken && strcmp(seen->how, "gap") == 0))
        world_fail(world, same ? INV_RESUME_SEAMLESS : INV_RESET_TOLD,
                   "client %d asks from seq %" PRIu64 " of epoch %.6s and is told '%s' of %.6s, seq %" PRId64
                   " of %" PRId64,
                   self->number, asked->seq, asked->epoch, seen->how, seen->epoch, seen->seq, seen->head);
}

static bool is_answer(const struct sim_client *self, int chat, const struct seen *seen)
{
    const struct asking *asked = &self->asked;
    return asked->kind != ASK_NOTHING && asked->kind != ASK_LEAVE && asked->chat == chat &&
           (!asked->anew || strcmp(seen->how, "snapshot") == 0);
}

static void take_place(struct sim_client *self, int chat, const struct seen *seen)
{
    struct world *world = self->world;
    struct resume *held = &self->held[chat];
    if (held->epoch[0] && strcmp(seen->epoch, held->epoch) != 0)
        world_saw(world, INV_RESET_TOLD);
    if (strcmp(seen->how, "gap") == 0)
        world_saw(world, INV_GAP_TOLD);
    const struct model_history *history = model_history(world, world_chats[chat], seen->epoch);
    if (self->follows[chat] && history && history->restored && strcmp(seen->epoch, held->epoch) != 0)
        world_saw(world, INV_EPOCHS);
    enum resume_start start = resume_connected(held, seen->how, seen->epoch[0] ? seen->epoch : NULL,
                                               (uint64_t)(seen->seq > 0 ? seen->seq : 0));
    if (start == RESUME_CONTINUE) {
        world_saw(world, INV_RESUME_SEAMLESS);
        return;
    }
    if (strcmp(seen->how, "resumed") == 0)
        world_fail(world, INV_RESUME_SEAMLESS, "client %d is resumed at seq %" PRId64 ", which it does not hold",
                   self->number, seen->seq);
    sim_client_forget_steps(self, chat);
    if (self->cancelled_chat == chat)
        self->cancelled[0] = '\0'; /* the snapshot tells what became of the run */
}

/* Who was told on this connection that there is no record, and then of one it did not ask for, gets all of it. What
 * came with the commit that made the record may be a dump, which is told as it is. */
static void check_first_record(struct sim_client *self, int chat, const struct seen *seen)
{
    const struct model_history *history = model_history(self->world, world_chats[chat], seen->epoch);
    if (!self->follows[chat] || self->held[chat].epoch[0] || strcmp(seen->how, "snapshot") != 0 || !seen->epoch[0])
        return;
    if (seen->seq == 0)
        world_saw(self->world, INV_RESUME_SEAMLESS);
    else if (!history || (size_t)seen->seq > history->begun)
        world_fail(self->world, INV_RESUME_SEAMLESS,
                   "client %d was told that %s has no record, and begins at seq %" PRId64 " of %.6s", self->number,
                   seen->chat, seen->seq, seen->epoch);
}

static void not_followed(struct sim_client *self, int chat, const struct seen *seen)
{
    bool left = chat >= 0 && self->unsubscribed[chat];
    world_fail(self->world, left ? INV_UNSUBSCRIBED : INV_LEFT_CHAT, "client %d does not follow %s and gets %s",
               self->number, seen->chat, seen->type);
}

static void see_connected(struct sim_client *self, const struct seen *seen)
{
    int chat = model_chat_number(seen->chat);
    bool answer = is_answer(self, chat, seen);
    if (chat < 0 || (!answer && !self->follows[chat])) {
        not_followed(self, chat, seen);
        return;
    }
    if (answer)
        check_answer(self, chat, seen);
    else
        check_first_record(self, chat, seen);
    if (answer && self->asked.kind == ASK_SUBSCRIBE)
        leave_others(self, chat);
    if (answer && self->asked.kind == ASK_ADD && sim_client_count(self->follows) > self->follows[chat])
        world_saw(self->world, INV_ADD_KEEPS);
    take_place(self, chat, seen);
    self->follows[chat] = true;
    self->unsubscribed[chat] = false;
    if (answer && !self->world->failed)
        sim_client_ask_next(self);
}

static void see_unsubscribed(struct sim_client *self, const struct seen *seen)
{
    int chat = model_chat_number(seen->chat);
    if (self->asked.kind != ASK_LEAVE || self->asked.chat != chat) {
        world_fail(self->world, INV_UNSUBSCRIBED, "client %d is unsubscribed from %s, which it did not ask for",
                   self->number, seen->chat);
        return;
    }
    world_saw(self->world, INV_UNSUBSCRIBED);
    self->follows[chat] = false;
    self->unsubscribed[chat] = true;
    resume_lost(&self->held[chat]);
    if (self->cancelled_chat == chat)
        self->cancelled[0] = '\0';
    sim_client_ask_next(self);
}

static void see_error(struct sim_client *self, struct bytes text)
{
    self->cancelled[0] = '\0';
    if (self->errors_due == 0)
        world_fail(self->world, INV_CANCEL_TOLD, "client %d: an error it did not ask for: %.*s", self->number,
                   (int)text.len, text.at);
    else
        self->errors_due--;
}

static void apply(struct sim_client *self, int chat, const struct seen *seen, struct bytes text)
{
    struct world *world = self->world;
    const struct model_history *history = model_history(world, world_chats[chat], seen->epoch);
    const struct event_row *row =
        history && (uint64_t)seen->seq <= history->count ? &history->events[seen->seq - 1] : NULL;
    world_saw(world, INV_PREFIX);
    world->tally->applied++;
    if (!row || row->body_len != text.len || memcmp(row->body, text.at, text.len) != 0) {
        world_fail(world, INV_PREFIX, "client %d applied what the record does not say: %.*s", self->number,
                   (int)text.len, text.at);
        return;
    }
    if (seen->step[0] && seen->job[0]) {
        struct step_seen *step = step_of(self, seen, chat);
        if (step->attempt >= 0)
            world_saw(world, INV_PROGRESS_STAYS);
        step->done = true;
        step->done_attempt = seen->attempt;
    }
    const struct event_type *type = event_type_find(seen->type, strlen(seen->type));
    if (!type || !type->terminal)
        return;
    if (self->ended_count < JOBS_SEEN)
        memcpy(self->ended[self->ended_count++], seen->job, TEXT_MAX);
    if (strcmp(self->cancelled, seen->job) == 0)
        self->cancelled[0] = '\0';
}

static void see_record(struct sim_client *self, int chat, const struct seen *seen, struct bytes text)
{
    uint64_t before = self->held[chat].seq;
    switch (resume_event(&self->held[chat], true, (uint64_t)seen->seq, seen->epoch)) {
    case RESUME_APPLY: apply(self, chat, seen, text); break;
    case RESUME_IGNORE:
        world_fail(self->world, INV_PREFIX, "client %d holds seq %" PRIu64 " of %s and gets %" PRId64 " again",
                   self->number, before, seen->chat, seen->seq);
        break;
    case RESUME_AGAIN:
        world_fail(self->world, strcmp(self->held[chat].epoch, seen->epoch) == 0 ? INV_PREFIX : INV_EPOCHS,
                   "client %d holds seq %" PRIu64 " of %s (epoch %.6s) and gets %" PRId64 " (epoch %.6s)", self->number,
                   before, seen->chat, self->held[chat].epoch, seen->seq, seen->epoch);
        break;
    }
}

static void see_outside_progress(struct sim_client *self, int chat, const struct seen *seen)
{
    int step = seen->step[0] == 's' ? seen->step[1] - '0' : -1;
    if (step < 0 || step >= SIM_OUTSIDE_STEPS)
        return;
    world_saw(self->world, INV_PROGRESS_COMES);
    self->outside[chat][step] = read_number(seen, "pub_seq");
}

static void see_progress(struct sim_client *self, int chat, const struct seen *seen)
{
    struct world *world = self->world;
    if (!seen->job[0] || !seen->step[0]) {
        see_outside_progress(self, chat, seen);
        return;
    }
    struct step_seen *step = step_of(self, seen, chat);
    step->done = step->done && seen->attempt <= step->done_attempt;
    if (step->done || has_ended(self, seen->job))
        world_fail(world, INV_PROGRESS_STAYS, "client %d: progress %" PRId64 " of a step after its result",
                   self->number, seen->progress);
    if (step->attempt == seen->attempt)
        world_saw(world, INV_PROGRESS_GROWS);
    /* A broker that was started again, and never heard of the worker, cannot say how far the step came. */
    bool unknown = seen->failed && seen->progress == 0 && step->rebuilds != world->rebuilds;
    if (!unknown &&
        (seen->attempt < step->attempt || (seen->attempt == step->attempt && seen->progress < step->progress)))
        world_fail(world, INV_PROGRESS_GROWS,
                   "client %d: %" PRId64 " of attempt %" PRId64 " follows %" PRId64 " of attempt %" PRId64,
                   self->number, seen->progress, seen->attempt, step->progress, step->attempt);
    step->rebuilds = world->rebuilds;
    step->attempt = seen->attempt;
    step->progress = seen->progress;
}

static void see(struct sim_client *self, struct bytes text)
{
    struct seen seen;
    if (!read_seen(text, &seen)) {
        world_fail(self->world, INV_PREFIX, "client %d: no JSON: %.*s", self->number, (int)text.len, text.at);
        return;
    }
    TRACE(self->world, "client %d < %s %s seq %" PRId64 " %s %.6s attempt %" PRId64 " progress %" PRId64, self->number,
          seen.chat, seen.type, seen.seq, seen.how, seen.epoch, seen.attempt, seen.progress);
    int chat = model_chat_number(seen.chat);
    if (strcmp(seen.type, "connected") == 0)
        see_connected(self, &seen);
    else if (strcmp(seen.type, "unsubscribed") == 0)
        see_unsubscribed(self, &seen);
    else if (strcmp(seen.type, "error") == 0 && !seen.numbered)
        see_error(self, text);
    else if (chat < 0 || !self->follows[chat])
        not_followed(self, chat, &seen);
    else if (seen.numbered)
        see_record(self, chat, &seen, text);
    else if (strcmp(seen.type, "progress") == 0)
        see_progress(self, chat, &seen);
}

/* Server frames of RFC 6455: never masked, never fragmented. */
void sim_client_read(struct sim_client *self, const struct letter *letter)
{
    const unsigned char *at = (const unsigned char *)letter->bytes;
    size_t left = letter->len;
    while (left >= 2 && !self->world->failed) {
        size_t head = 2, len = at[1];
        if (len == 126) {
            head = 4;
            len = (size_t)at[2] << 8 | at[3];
        } else if (len == 127) {
            head = 10;
            len = (size_t)at[6] << 24 | (size_t)at[7] << 16 | (size_t)at[8] << 8 | at[9];
        }
        see(self, (struct bytes){(const char *)at + head, len});
        at += head + len;
        left -= head + len;
    }
}
