/* A reader of chats: the real resume rule of the command line's client over a WebSocket that is read frame by frame. It
 * connects to any gateway, follows one chat or several, changes them, cancels runs, hangs up and comes again; what it
 * gets is compared with the record. */
#include "sim_client_inside.h"

#include "model_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHIM_US     700000
#define PATIENCE_US 6000000 /* for `connected` */

static void work(struct world *world, void *owner);

/* One of those that are set, or are not; -1 = there is none. */
static int choose(struct sim_client *self, const bool chats[CHATS], bool set)
{
    int chosen = -1;
    uint32_t seen = 0;
    for (int i = 0; i < CHATS; i++)
        if (chats[i] == set && chance_below(&self->world->chance, ++seen) == 0)
            chosen = i;
    return chosen;
}

/* ---- asking ---- */

/* Positions a client should not have, and clients do have. */
static void misremember(struct sim_client *self, int chat)
{
    struct world *world = self->world;
    struct resume *held = &self->held[chat];
    if (held->epoch[0] && world_strikes(world, FAULT_SINCE_FUTURE))
        held->seq += 1 + chance_below(&world->chance, 20);
    else if (held->epoch[0] && world_strikes(world, FAULT_SINCE_OLD))
        held->seq = chance_hit(&world->chance, 500) ? 0 : chance_below(&world->chance, (uint32_t)held->seq + 1);
    else if (world_strikes(world, FAULT_EPOCH_UNKNOWN))
        resume_init(held, "feedfeedfeedfeedfeedfeedfeedfeed", chance_below(&world->chance, 10));
    else
        return;
    sim_client_forget_steps(self, chat);
}

/* The position as a query, "" for none. */
static void ask(struct sim_client *self, enum ask kind, int chat, bool anew, char query[RESUME_QUERY_MAX])
{
    if (!self->follows[chat])
        misremember(self, chat);
    const struct resume *held = &self->held[chat];
    self->asked = (struct asking){.kind = kind, .chat = chat, .anew = anew, .at_us = self->world->now_us};
    query[0] = '\0';
    if (anew || kind == ASK_LEAVE)
        return;
    self->asked.seq = held->seq;
    memcpy(self->asked.epoch, held->epoch, sizeof self->asked.epoch);
    resume_query(held, query);
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
    int chat = self->asked.chat;
    ask(self, ASK_OPEN, chat, false, query);
    split_query(query, since, epoch);
    int len = snprintf(message, sizeof message, "G%s%c%s%c%s", world_chats[chat], 0, since, 0, epoch);
    TRACE(world, "client %d: connected to a gateway, asks %s%s", self->number, world_chats[chat], query);
    conn_send(world, conn, SIDE_CLIENT, message, (size_t)len + 1);
}

static void say(struct sim_client *self, const char *message)
{
    TRACE(self->world, "client %d: %s", self->number, message);
    conn_send(self->world, &self->conn, SIDE_CLIENT, message, strlen(message));
}

static void subscribe(struct sim_client *self, enum ask kind, int chat, bool anew)
{
    char query[RESUME_QUERY_MAX], since[32], epoch[64], message[400];
    const char *add = kind == ASK_ADD ? ",\"add\":true" : "";
    if (kind == ASK_SUBSCRIBE)
        memset(self->wanted, 0, sizeof self->wanted);
    self->wanted[chat] = true;
    ask(self, kind, chat, anew, query);
    split_query(query, since, epoch);
    if (query[0])
        snprintf(message, sizeof message, "{\"type\":\"subscribe\",\"chat_id\":\"%s\"%s,\"since\":%s,\"epoch\":\"%s\"}",
                 world_chats[chat], add, since, epoch);
    else
        snprintf(message, sizeof message, "{\"type\":\"subscribe\",\"chat_id\":\"%s\"%s}", world_chats[chat], add);
    say(self, message);
}

static void leave(struct sim_client *self, int chat)
{
    char query[RESUME_QUERY_MAX], message[200];
    self->wanted[chat] = false;
    ask(self, ASK_LEAVE, chat, false, query);
    snprintf(message, sizeof message, "{\"type\":\"unsubscribe\",\"chat_id\":\"%s\"}", world_chats[chat]);
    say(self, message);
}

/* A chat that is wanted and not followed is added, one after the other. */
void sim_client_ask_next(struct sim_client *self)
{
    self->asked.kind = ASK_NOTHING;
    for (int i = 0; i < CHATS; i++) {
        if (!self->wanted[i] || self->follows[i])
            continue;
        subscribe(self, ASK_ADD, i, false);
        return;
    }
}

/* Any job of a chat it follows, or now and then of another one. */
static void cancel(struct sim_client *self)
{
    struct chance *chance = &self->world->chance;
    const struct model_job *chosen = NULL;
    uint32_t seen = 0;
    char message[JOB_ID_MAX + 100];
    int chat = choose(self, self->follows, chance_hit(chance, 900));
    if (chat < 0 || self->cancelled[0])
        return;
    for (const struct model_job *job = model_jobs(self->world); job; job = job->next)
        if (!job->gone && strcmp(job->row.chat_id, world_chats[chat]) == 0 &&
            (chance_below(chance, ++seen) == 0 || !job_status_final(job->row.status)))
            chosen = job;
    if (!chosen)
        return;
    snprintf(self->cancelled, sizeof self->cancelled, "%s", chosen->row.job_id);
    self->cancelled_chat = chat;
    self->errors_due++;
    world_saw(self->world, INV_CANCEL_TOLD);
    snprintf(message, sizeof message, "{\"type\":\"cancel\",\"job_id\":\"%s\"}", chosen->row.job_id);
    say(self, message);
}

/* ---- connections ---- */

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
    int chat = choose(self, self->wanted, true);
    if (chat < 0)
        chat = (int)chance_below(&self->world->chance, CHATS);
    self->wanted[chat] = true;
    self->asked = (struct asking){.kind = ASK_OPEN, .chat = chat, .at_us = self->world->now_us};
    for (int i = 0; i < CHATS; i++) {
        resume_lost(&self->held[i]);
        self->follows[i] = self->unsubscribed[i] = false;
    }
    self->cancelled[0] = '\0';
    self->errors_due = 0;
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

/* It changes what it follows, when nothing is asked. */
static void change_chats(struct sim_client *self)
{
    struct chance *chance = &self->world->chance;
    int followed = choose(self, self->follows, true), other = choose(self, self->follows, false);
    bool known = followed >= 0 && self->held[followed].epoch[0];
    uint32_t lot = chance_below(chance, 1000);
    if (lot < 120 && other >= 0)
        subscribe(self, ASK_SUBSCRIBE, other, false);
    else if (lot < 300 && other >= 0)
        subscribe(self, ASK_ADD, other, false);
    else if (lot < 400 && followed >= 0)
        leave(self, followed);
    else if (lot < 440 && known)
        subscribe(self, ASK_ADD, followed, true);
    else if (lot < 460 && known && sim_client_count(self->follows) == 1)
        subscribe(self, ASK_SUBSCRIBE, followed, true);
}

static void whim(struct world *world, void *who, uint64_t incarnation)
{
    struct sim_client *self = who;
    if (self->process.incarnation != (uint32_t)incarnation)
        return;
    world_at(world, WHIM_US, whim, self, incarnation);
    if (self->process.paused_until_us > world->now_us || !self->conn.up)
        return;
    if (self->asked.kind != ASK_NOTHING && world->now_us - self->asked.at_us > PATIENCE_US)
        hang_up(self, "no answer");
    else if (world->calm)
        return;
    else if (chance_hit(&world->chance, 90))
        hang_up(self, "a whim");
    else if (self->asked.kind == ASK_NOTHING)
        change_chats(self);
    if (self->conn.up && chance_hit(&world->chance, 120))
        cancel(self);
}

static void work(struct world *world, void *owner)
{
    struct sim_client *self = owner;
    struct letter *letter;
    while (!world->failed && (letter = process_take(&self->process))) {
        if (letter->generation > self->old) {
            sim_client_read(self, letter);
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
    memset(self->wanted, 0, sizeof self->wanted);
    memset(self->outside, 0, sizeof self->outside);
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

static bool is_behind(const struct sim_client *self, int number, char *out, size_t size)
{
    const struct resume *held = &self->held[number];
    const struct model_chat *chat = model_chat(self->world, number);
    const char *epoch = chat->exists ? chat->row.epoch : "";
    uint64_t head = chat->exists ? chat->history->count : 0;
    if (strcmp(held->epoch, epoch) == 0 && held->seq == head)
        return false;
    snprintf(out, size, "client %d holds seq %" PRIu64 " of %s (epoch %.6s), on disk is %" PRIu64 " (%.6s)",
             self->number, held->seq, world_chats[number], held->epoch, head, epoch);
    return true;
}

static bool misses_progress(const struct sim_client *self, int chat, char *out, size_t size)
{
    for (int step = 0; step < SIM_OUTSIDE_STEPS; step++) {
        int64_t newest = sim_broker_outside_progress(self->world, chat, step);
        if (newest == 0 || self->outside[chat][step] == newest)
            continue;
        snprintf(out, size, "client %d holds progress %" PRId64 " of step s%d of %s, not %" PRId64, self->number,
                 self->outside[chat][step], step, world_chats[chat], newest);
        return true;
    }
    return false;
}

const char *sim_client_behind(const struct world *world, int i, enum invariant *blame)
{
    static char text[JOB_ID_MAX + 200];
    const struct sim_client *self = world->clients[i];
    *blame = INV_CLIENT_CATCHES_UP;
    if (!self->process.up || self->asked.kind != ASK_NOTHING)
        return "it is not connected";
    for (int chat = 0; chat < CHATS; chat++) {
        if (!self->follows[chat] || !is_behind(self, chat, text, sizeof text))
            continue;
        *blame = sim_client_count(self->follows) > 1 ? INV_ADD_KEEPS : INV_CLIENT_CATCHES_UP;
        return text;
    }
    *blame = INV_PROGRESS_COMES;
    for (int chat = 0; chat < CHATS; chat++)
        if (self->follows[chat] && misses_progress(self, chat, text, sizeof text))
            return text;
    if (!self->cancelled[0])
        return NULL;
    *blame = INV_CANCEL_TOLD;
    snprintf(text, sizeof text, "client %d is told nothing of its cancel of %s", i, self->cancelled);
    return text;
}
