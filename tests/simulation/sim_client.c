/* A reader of chats: the real resume rule of the command line's client over a WebSocket that is read frame by frame. It
 * connects to any gateway, changes its chat, hangs up and comes again; what it gets is compared with the record. */
#include "sim.h"

#include "event.h"
#include "json_scan.h"
#include "model_store.h"
#include "resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHIM_US     700000
#define PATIENCE_US 6000000 /* for `connected` */
#define STEPS_SEEN  64
#define JOBS_SEEN   64
#define TEXT_MAX    (JOB_ID_MAX + 1)

/* The newest progress of a step, and whether its result was seen. */
struct step_seen {
    char job[TEXT_MAX], step[ID_UUID_LEN + 1];
    int64_t attempt, progress;
    int64_t done_attempt; /* of the result: only a later attempt may go back to the step */
    uint64_t rebuilds;    /* of the broker's memory before that */
    bool done;
    int chat;
};

struct sim_client {
    struct world *world;
    int number;
    struct process process;
    struct conn conn;
    struct resume held[CHATS];
    int chat;           /* of the last `connected`; -1 = none */
    int asked;          /* chat that was asked for and not answered; -1 = none */
    uint64_t asked_seq; /* the position it was asked with */
    char asked_epoch[RESUME_EPOCH_MAX];
    int64_t asked_us;
    bool retry_due;
    uint32_t old; /* letters of connections up to this one are void */
    struct step_seen steps[STEPS_SEEN];
    size_t step_count;
    char ended[JOBS_SEEN][TEXT_MAX];
    size_t ended_count;
};

static void work(struct world *world, void *owner);

/* ---- connections ---- */

static void ask(struct sim_client *self, int chat)
{
    self->asked = chat;
    self->asked_us = self->world->now_us;
    self->asked_seq = self->held[chat].seq;
    memcpy(self->asked_epoch, self->held[chat].epoch, sizeof self->asked_epoch);
}

/* "?since=12&epoch=..." as a gateway's HTTP parser takes it apart. */
static void split_query(const char *query, char *since, char *epoch)
{
    since[0] = epoch[0] = '\0';
    if (query[0] && sscanf(query, "?since=%31[^&]&epoch=%63s", since, epoch) != 2)
        abort();
}

static void made(struct world *world, struct conn *conn)
{
    struct sim_client *self = conn->owner;
    char query[RESUME_QUERY_MAX], since[32], epoch[64], message[400];
    ask(self, self->asked);
    resume_query(&self->held[self->asked], query);
    split_query(query, since, epoch);
    int len = snprintf(message, sizeof message, "G%s%c%s%c%s", world_chats[self->asked], 0, since, 0, epoch);
    TRACE(world, "client %d: connected to a gateway, asks %s%s", self->number, world_chats[self->asked], query);
    conn_send(world, conn, SIDE_CLIENT, message, (size_t)len + 1);
}

static void retry(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_client *self = who;
    self->retry_due = false;
    if (self->process.incarnation != (uint32_t)incarnation || self->conn.wanted)
        return;
    self->conn.server = sim_gateway_loop(world, (int)chance_below(&world->chance, GATEWAYS));
    conn_want(world, &self->conn);
}

static void come_again(struct sim_client *self)
{
    if (self->asked < 0)
        self->asked = self->chat;
    for (int i = 0; i < CHATS; i++)
        resume_lost(&self->held[i]);
    self->chat = -1;
    self->conn.wanted = false;
    self->old = self->conn.generation;
    if (self->retry_due)
        return;
    self->retry_due = true;
    world_at(self->world, chance_between(&self->world->chance, 20, 400) * 1000, retry, self, self->process.incarnation);
}

static void broken(struct world *world, struct conn *conn)
{
    TRACE(world, "client %d: connection lost", ((struct sim_client *)conn->owner)->number);
    come_again(conn->owner);
}

static void hang_up(struct sim_client *self, const char *why)
{
    TRACE(self->world, "client %d: hangs up: %s", self->number, why);
    conn_unwant(self->world, &self->conn);
    come_again(self);
}

static void subscribe(struct sim_client *self, int chat)
{
    char query[RESUME_QUERY_MAX], since[32], epoch[64], message[400];
    ask(self, chat);
    resume_query(&self->held[chat], query);
    split_query(query, since, epoch);
    int len = query[0]
                  ? snprintf(message, sizeof message,
                             "{\"type\":\"subscribe\",\"chat_id\":\"%s\",\"since\":%s,\"epoch\":\"%s\"}",
                             world_chats[chat], since, epoch)
                  : snprintf(message, sizeof message, "{\"type\":\"subscribe\",\"chat_id\":\"%s\"}", world_chats[chat]);
    TRACE(self->world, "client %d: %s", self->number, message);
    conn_send(self->world, &self->conn, SIDE_CLIENT, message, (size_t)len);
}

static void whim(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_client *self = who;
    if (self->process.incarnation != (uint32_t)incarnation)
        return;
    world_at(world, WHIM_US, whim, self, incarnation);
    if (self->process.paused_until_us > world->now_us)
        return;
    if (self->conn.up && self->asked >= 0 && world->now_us - self->asked_us > PATIENCE_US)
        hang_up(self, "no answer");
    else if (!world->calm && self->conn.up && self->asked < 0 && self->chat >= 0 && chance_hit(&world->chance, 150))
        subscribe(self, (self->chat + 1 + (int)chance_below(&world->chance, CHATS - 1)) % CHATS);
    else if (!world->calm && self->conn.up && chance_hit(&world->chance, 100))
        hang_up(self, "a whim");
}

/* ---- what it sees ---- */

struct seen {
    struct json_members members;
    char type[65], chat[ID_CHAT_MAX + 1], job[TEXT_MAX], step[ID_UUID_LEN + 1], epoch[64], how[16];
    int64_t seq, attempt, progress;
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
    out->attempt = read_number(out, "attempt");
    out->progress = read_number(out, "progress");
    char status[16];
    read_text(out, "status", status, sizeof status);
    out->failed = strcmp(status, "failed") == 0;
    out->numbered = out->seq > 0;
    return true;
}

static void forget_steps(struct sim_client *self, int chat)
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

static void see_connected(struct sim_client *self, const struct seen *seen)
{
    struct world *world = self->world;
    int chat = model_chat_number(seen->chat);
    if (chat < 0 || (chat != self->asked && chat != self->chat)) {
        world_fail(world, INV_LEFT_CHAT, "client %d is connected to %s, asked were %d and %d", self->number, seen->chat,
                   self->asked, self->chat);
        return;
    }
    struct resume *held = &self->held[chat];
    bool answer = chat == self->asked, known = seen->epoch[0] && strcmp(seen->epoch, held->epoch) == 0;
    bool same_as_asked = answer && self->asked_epoch[0] && strcmp(seen->epoch, self->asked_epoch) == 0;
    if (answer && self->chat >= 0 && self->chat != chat)
        world_saw(world, INV_LEFT_CHAT);
    if (held->epoch[0] && !known)
        world_saw(world, INV_RESET_TOLD);
    const struct model_history *history = model_history(world, world_chats[chat], seen->epoch);
    bool taken = history && self->asked_seq < history->trimmed;
    if (strcmp(seen->how, "gap") == 0)
        world_saw(world, INV_GAP_TOLD);
    if (same_as_asked && strcmp(seen->how, "resumed") != 0 && !(taken && strcmp(seen->how, "gap") == 0))
        world_fail(world, INV_RESUME_SEAMLESS, "client %d holds seq %" PRIu64 " of the same epoch and is told '%s'",
                   self->number, self->asked_seq, seen->how);
    enum resume_start start = resume_connected(held, seen->how, seen->epoch[0] ? seen->epoch : NULL,
                                               (uint64_t)(seen->seq > 0 ? seen->seq : 0));
    if (start == RESUME_CONTINUE)
        world_saw(world, INV_RESUME_SEAMLESS);
    else if (strcmp(seen->how, "resumed") == 0)
        world_fail(world, INV_RESUME_SEAMLESS, "client %d is resumed at seq %" PRId64 ", which it does not hold",
                   self->number, seen->seq);
    else
        forget_steps(self, chat);
    if (self->chat >= 0 && self->chat != chat)
        resume_lost(&self->held[self->chat]);
    self->chat = chat;
    if (answer)
        self->asked = -1;
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
    if (type && type->terminal && self->ended_count < JOBS_SEEN)
        memcpy(self->ended[self->ended_count++], seen->job, TEXT_MAX);
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
        world_fail(self->world, INV_PREFIX,
                   "client %d holds seq %" PRIu64 " of %s (epoch %.6s) and gets %" PRId64 " (epoch %.6s)", self->number,
                   before, seen->chat, self->held[chat].epoch, seen->seq, seen->epoch);
        break;
    }
}

static void see_progress(struct sim_client *self, int chat, const struct seen *seen)
{
    struct world *world = self->world;
    if (!seen->job[0] || !seen->step[0])
        return; /* of an outside program */
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
    if (strcmp(seen.type, "connected") == 0) {
        see_connected(self, &seen);
        return;
    }
    int chat = model_chat_number(seen.chat);
    if (chat < 0 || chat != self->chat)
        world_fail(self->world, INV_LEFT_CHAT, "client %d reads %d and gets %s of %s", self->number, self->chat,
                   seen.type, seen.chat);
    else if (seen.numbered)
        see_record(self, chat, &seen, text);
    else if (strcmp(seen.type, "progress") == 0)
        see_progress(self, chat, &seen);
}

/* Server frames of RFC 6455: never masked, never fragmented. */
static void read_frames(struct sim_client *self, const struct letter *letter)
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

static void work(struct world *world, void *owner)
{
    struct sim_client *self = owner;
    struct letter *letter;
    while (!world->failed && (letter = process_take(&self->process))) {
        if (letter->generation > self->old) {
            read_frames(self, letter);
            conn_send(world, &self->conn, SIDE_CLIENT, "R", 1);
        }
        free(letter);
    }
}

/* ---- life ---- */

enum err sim_client_new(struct world *world, int i)
{
    struct sim_client *self = calloc(1, sizeof *self);
    world->clients[i] = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->number = i;
    self->process = (struct process){.name = "client", .slow_us = 1000, .work = work, .owner = self};
    self->conn =
        (struct conn){.kind = CONN_SOCKET, .client = &self->process, .owner = self, .made = made, .broken = broken};
    sim_gateway_adopt(&self->conn);
    conn_join(world, &self->conn);
    return ERR_OK;
}

void sim_client_free(struct world *world, int i)
{
    struct sim_client *self = world->clients[i];
    world->clients[i] = NULL;
    if (!self)
        return;
    process_end(&self->process);
    conn_fini(&self->conn);
    free(self);
}

struct process *sim_client_process(struct world *world, int i)
{
    return &world->clients[i]->process;
}

void sim_client_start(struct world *world, int i)
{
    struct sim_client *self = world->clients[i];
    if (self->process.up)
        return;
    for (int chat = 0; chat < CHATS; chat++)
        resume_init(&self->held[chat], "", 0);
    self->step_count = self->ended_count = 0;
    self->chat = -1;
    self->asked = (int)chance_below(&world->chance, CHATS);
    self->retry_due = false;
    process_start(world, &self->process);
    come_again(self);
    whim(world, self, self->process.incarnation);
}

void sim_client_crash(struct world *world, int i)
{
    struct sim_client *self = world->clients[i];
    if (!self->process.up)
        return;
    TRACE(world, "client %d dies", i);
    process_end(&self->process);
    conn_cut_all(world, &self->process);
}

const char *sim_client_behind(const struct world *world, int i)
{
    static char text[200];
    const struct sim_client *self = world->clients[i];
    if (!self->process.up || self->chat < 0 || self->asked >= 0)
        return "it is not connected";
    const struct resume *held = &self->held[self->chat];
    const struct model_chat *chat = model_chat(world, self->chat);
    const char *epoch = chat->exists ? chat->row.epoch : "";
    uint64_t head = chat->exists ? chat->history->count : 0;
    if (strcmp(held->epoch, epoch) == 0 && held->seq == head)
        return NULL;
    snprintf(text, sizeof text, "client %d holds seq %" PRIu64 " of %s (epoch %.6s), on disk is %" PRIu64 " (%.6s)", i,
             held->seq, world_chats[self->chat], held->epoch, head, epoch);
    return text;
}
