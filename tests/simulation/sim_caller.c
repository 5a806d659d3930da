/* Somebody who uses REST through a gateway: makes chats, uploads, starts runs and waits for them, deletes. Every answer
 * is held against the record. It speaks to pending.h where the HTTP handlers do. */
#include "sim.h"

#include "pending.h"
#include "referee.h"
#include "rest/idempotency.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_US    200000
#define DEADLINE_MS 40000
#define OPEN_MAX    6

struct open_call {
    struct sim_caller *caller;
    struct uplink_call *call; /* NULL: the place is free */
    int gateway;
    bool answered;
    struct asked asked;
};

struct sim_caller {
    struct world *world;
    int number;
    uint64_t uploads;
    struct open_call calls[OPEN_MAX];
};

static void on_answer(void *ctx, const struct uplink_answer *answer)
{
    struct open_call *open = ctx;
    struct world *world = open->caller->world;
    open->answered = true;
    if (world->stopping)
        return;
    TRACE(world, "caller %d < %s %s: %u%s id %02x%02x", open->caller->number, call_name(open->asked.call),
          model_chat_name(world, open->asked.chat), answer->status, answer->own ? " of the gateway itself" : "",
          open->asked.id[0], open->asked.id[1]);
    referee_answered(world, &open->asked, answer);
}

static void on_accepted(void *ctx, const char *job_id)
{
    struct open_call *open = ctx;
    referee_accepted(open->caller->world, &open->asked, job_id);
}

static void forget(struct open_call *open)
{
    if (open->call)
        call_forget(&open->call);
    open->call = NULL;
}

static void sweep(struct sim_caller *self)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (self->calls[i].call && self->calls[i].answered)
            forget(&self->calls[i]);
}

static struct open_call *free_place(struct sim_caller *self)
{
    for (struct open_call *open = self->calls; open < self->calls + OPEN_MAX; open++)
        if (!open->call)
            return open;
    return NULL;
}

/* Takes what is asked by any gateway that is up; `asked` gets the request's id there. */
static void call(struct sim_caller *self, struct asked asked, const char *body)
{
    struct world *world = self->world;
    struct open_call *open = free_place(self);
    int gateway = (int)chance_below(&world->chance, GATEWAYS);
    if (!open || !sim_gateway_uplink(world, gateway)->up)
        return;
    *open = (struct open_call){.caller = self, .gateway = gateway, .asked = asked};
    struct uplink_request request = {.call = asked.call,
                                     .chat = asked.call == CALL_CREATE_CHAT ? "" : model_chat_name(world, asked.chat),
                                     .body = body,
                                     .len = strlen(body),
                                     .trace = "t",
                                     .key = asked.keyed ? &asked.key : NULL,
                                     .deadline_ms = DEADLINE_MS,
                                     .on_answer = on_answer,
                                     .on_accepted = on_accepted,
                                     .ctx = open};
    if (call_new(&open->call, &request, world_mono_ms(world)) != ERR_OK)
        abort();
    memcpy(open->asked.id, world->last_id, REQUEST_ID_LEN);
    referee_asked(world, &open->asked);
    TRACE(world, "caller %d: %s %s by gateway %d id %02x%02x%s", self->number, call_name(asked.call),
          model_chat_name(world, asked.chat), gateway, open->asked.id[0], open->asked.id[1],
          asked.keyed ? " keyed" : "");
    sim_gateway_call(world, gateway, open->call);
}

static void ask(struct sim_caller *self, enum call which, int chat, const char *body)
{
    call(self, (struct asked){.call = which, .chat = chat}, body);
}

/* ---- runs and keys ---- */

static void choose_steps(struct chance *chance, char out[200])
{
    int steps = (int)chance_between(chance, chance_hit(chance, 50) ? 0 : 1, 3);
    strcpy(out, "[");
    for (int i = 0; i < steps; i++)
        strcat(out, i ? ",{\"operation\":\"o\"}" : "{\"operation\":\"o\",\"arguments\":{\"a\":1}}");
    strcat(out, "]");
}

/* As gateway/rest does it: what is asked for decides whether it is the same, not whether its caller waits. */
static void call_keyed(struct sim_caller *self, const struct wish *wish, const char *steps)
{
    char body[300];
    bool waits = !wish->create && chance_hit(&self->world->chance, 700);
    struct asked asked = {.call = wish->create ? CALL_CREATE_CHAT : CALL_EXECUTE,
                          .chat = wish->chat,
                          .waits = waits,
                          .keyed = wish->key[0]};
    struct bytes what = {steps, strlen(steps)};
    if (asked.keyed && !idempotency_derive(&asked.key, wish->create ? "create" : "execute",
                                           wish->create ? NULL : world_chats[wish->chat], wish->key, what))
        abort();
    snprintf(body, sizeof body, "{\"steps\":%s,\"wait\":%s}", steps, waits ? "true" : "false");
    call(self, asked, wish->create ? "{}" : body);
}

static void remember(struct world *world, struct wish *wish)
{
    snprintf(wish->key, sizeof wish->key, "wish %" PRIu64, world->wished);
    world->wishes[world->wished++ % WISHES] = *wish;
}

static void execute(struct sim_caller *self, int chat)
{
    struct chance *chance = &self->world->chance;
    struct wish wish = {.chat = chat};
    choose_steps(chance, wish.steps);
    if (chance_hit(chance, 350))
        remember(self->world, &wish);
    call_keyed(self, &wish, wish.steps);
    if (wish.key[0] && chance_hit(chance, 250))
        call_keyed(self, &wish, wish.steps);
}

/* The broker makes up its name. */
static void create_any(struct sim_caller *self)
{
    struct wish wish = {.create = true, .chat = -1, .steps = "{}"};
    remember(self->world, &wish);
    call_keyed(self, &wish, wish.steps);
    if (chance_hit(&self->world->chance, 250))
        call_keyed(self, &wish, wish.steps);
}

/* Somebody asks again under a key that he or another one has used, perhaps for something else. */
static void ask_again(struct sim_caller *self)
{
    struct world *world = self->world;
    size_t known = world->wished < WISHES ? (size_t)world->wished : WISHES;
    struct wish wish = world->wishes[chance_below(&world->chance, (uint32_t)known)];
    if (chance_hit(&world->chance, 200))
        strcpy(wish.steps, wish.create ? "{ }" : "[{\"operation\":\"other\"}]");
    call_keyed(self, &wish, wish.steps);
}

/* Cancel or retry any job of the chat, ended or not. */
static void meddle(struct sim_caller *self, int chat)
{
    struct chance *chance = &self->world->chance;
    const struct model_job *chosen = NULL;
    uint32_t seen = 0;
    for (const struct model_job *job = model_jobs(self->world); job; job = job->next)
        if (!job->gone && strcmp(job->row.chat_id, world_chats[chat]) == 0 && chance_below(chance, ++seen) == 0)
            chosen = job;
    char body[JOB_ID_MAX + 100];
    if (!chosen)
        return;
    bool cancel = chance_hit(chance, 500);
    snprintf(body, sizeof body, "{\"job_id\":\"%s\"%s%s}", chosen->row.job_id,
             cancel || chance_hit(chance, 500) ? "" : ",\"from\":\"start\"",
             !cancel && chance_hit(chance, 300) ? ",\"wait\":false" : "");
    ask(self, cancel ? CALL_CANCEL_JOB : CALL_RETRY_JOB, chat, body);
}

/* Chats of made-up names: a few at once, so that there is a place for each. */
static void make_or_delete(struct sim_caller *self)
{
    int made = CHATS + (int)chance_below(&self->world->chance, MADE_CHATS), count = 0;
    for (int i = CHATS; i < ALL_CHATS; i++)
        count += model_chat(self->world, i)->exists;
    if (model_chat(self->world, made)->exists)
        ask(self, CALL_DELETE_CHAT, made, "{}");
    else if (count < MADE_CHATS / 4)
        create_any(self);
}

/* Somebody keeps what there is, or brings back what was kept. */
static void dump_or_restore(struct sim_caller *self, int chat)
{
    const struct dump *dump = &self->world->dumps[chat];
    if (!dump->record || chance_hit(&self->world->chance, 200))
        sim_dump_take(self->world, chat);
    else
        call(self, (struct asked){.call = CALL_IMPORT_CHAT, .chat = chat, .events = dump->events, .files = dump->files},
             dump->record);
}

static void do_something(struct sim_caller *self)
{
    struct chance *chance = &self->world->chance;
    int chat = (int)chance_below(chance, CHATS - 1); /* the last one stays a room */
    char body[200];
    const struct model_chat *now = model_chat(self->world, chat);
    if (self->world->wished > 0 && chance_hit(chance, 150)) {
        ask_again(self);
    } else if (chance_hit(chance, 30)) {
        make_or_delete(self);
    } else if (chance_hit(chance, 130)) {
        dump_or_restore(self, chat);
    } else if (!now->exists || now->row.room) {
        snprintf(body, sizeof body, "{\"chat_id\":\"%s\"}", world_chats[chat]);
        ask(self, CALL_CREATE_CHAT, chat, body);
    } else if (now->file_count == 0 || chance_hit(chance, 60)) {
        snprintf(body, sizeof body, "{\"name\":\"a.csv\",\"key\":\"k/u%d-%llu\",\"bytes\":5}", self->number,
                 (unsigned long long)++self->uploads);
        ask(self, CALL_ADD_UPLOAD, chat, body);
    } else if (chance_hit(chance, 25)) {
        ask(self, CALL_DELETE_CHAT, chat, "{}");
    } else if (chance_hit(chance, 250)) {
        meddle(self, chat);
    } else if (chance_hit(chance, 100)) {
        ask(self, CALL_GET_EVENTS, chat, "{\"since\":0}");
    } else {
        execute(self, chat);
    }
}

static void timer(struct world *world, void *who, uint64_t arg)
{
    struct sim_caller *self = who;
    world_at(world, chance_between(&world->chance, EVERY_US / 2, EVERY_US * 4), timer, self, arg);
    sweep(self);
    if (!world->calm)
        do_something(self);
}

void sim_caller_gateway_died(struct world *world, int gateway)
{
    for (int i = 0; i < CALLERS; i++)
        for (size_t k = 0; k < OPEN_MAX; k++)
            if (world->callers[i]->calls[k].call && world->callers[i]->calls[k].gateway == gateway)
                forget(&world->callers[i]->calls[k]);
}

void sim_caller_leaves(struct world *world, int i)
{
    for (size_t k = 0; k < OPEN_MAX; k++)
        forget(&world->callers[i]->calls[k]);
}

enum err sim_caller_new(struct world *world, int i)
{
    struct sim_caller *self = calloc(1, sizeof *self);
    world->callers[i] = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->number = i;
    return ERR_OK;
}

void sim_caller_free(struct world *world, int i)
{
    struct sim_caller *self = world->callers[i];
    world->callers[i] = NULL;
    for (size_t k = 0; self && k < OPEN_MAX; k++)
        forget(&self->calls[k]);
    free(self);
}

void sim_caller_start(struct world *world, int i)
{
    timer(world, world->callers[i], 0);
}

bool sim_caller_idle(const struct world *world, int i)
{
    sweep(world->callers[i]);
    for (size_t k = 0; k < OPEN_MAX; k++)
        if (world->callers[i]->calls[k].call)
            return false;
    return true;
}
