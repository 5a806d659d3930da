/* Somebody who uses REST through a gateway: makes chats, uploads, starts runs and waits for them, deletes. Every answer
 * is held against the record. It speaks to pending.h where the HTTP handlers do. */
#include "sim.h"

#include "pending.h"
#include "referee.h"

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
          world_chats[open->asked.chat], answer->status, answer->own ? " of the gateway itself" : "", open->asked.id[0],
          open->asked.id[1]);
    referee_answered(world, &open->asked, answer->status, answer->own, answer->sent, answer->body);
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

static void call(struct sim_caller *self, enum call which, int chat, const char *body)
{
    struct world *world = self->world;
    struct open_call *open = self->calls;
    while (open < self->calls + OPEN_MAX && open->call)
        open++;
    int gateway = (int)chance_below(&world->chance, GATEWAYS);
    if (open == self->calls + OPEN_MAX || !sim_gateway_uplink(world, gateway)->up)
        return;
    *open = (struct open_call){.caller = self, .gateway = gateway, .asked = {.call = which, .chat = chat}};
    open->asked.deletions = model_chat(world, chat)->deletions;
    struct uplink_request request = {.call = which,
                                     .chat = which == CALL_CREATE_CHAT ? "" : world_chats[chat],
                                     .body = body,
                                     .len = strlen(body),
                                     .trace = "t",
                                     .deadline_ms = DEADLINE_MS,
                                     .on_answer = on_answer,
                                     .on_accepted = on_accepted,
                                     .ctx = open};
    if (call_new(&open->call, &request, world_mono_ms(world)) != ERR_OK)
        abort();
    memcpy(open->asked.id, world->last_id, REQUEST_ID_LEN);
    TRACE(world, "caller %d: %s %s by gateway %d id %02x%02x", self->number, call_name(which), world_chats[chat],
          gateway, open->asked.id[0], open->asked.id[1]);
    sim_gateway_call(world, gateway, open->call);
}

static void execute(struct sim_caller *self, int chat)
{
    struct chance *chance = &self->world->chance;
    char body[600] = "{\"steps\":[";
    int steps = (int)chance_between(chance, chance_hit(chance, 50) ? 0 : 1, 3);
    for (int i = 0; i < steps; i++)
        strcat(body, i ? ",{\"operation\":\"o\"}" : "{\"operation\":\"o\",\"arguments\":{\"a\":1}}");
    strcat(body, chance_hit(chance, 300) ? "],\"wait\":false}" : "]}");
    call(self, CALL_EXECUTE, chat, body);
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
    call(self, cancel ? CALL_CANCEL_JOB : CALL_RETRY_JOB, chat, body);
}

static void do_something(struct sim_caller *self)
{
    struct chance *chance = &self->world->chance;
    int chat = (int)chance_below(chance, CHATS - 1); /* the last one stays a room */
    char body[200];
    const struct model_chat *now = model_chat(self->world, chat);
    if (!now->exists || now->row.room) {
        snprintf(body, sizeof body, "{\"chat_id\":\"%s\"}", world_chats[chat]);
        call(self, CALL_CREATE_CHAT, chat, body);
    } else if (now->file_count == 0 || chance_hit(chance, 60)) {
        snprintf(body, sizeof body, "{\"name\":\"a.csv\",\"key\":\"k/u%d-%llu\",\"bytes\":5}", self->number,
                 (unsigned long long)++self->uploads);
        call(self, CALL_ADD_UPLOAD, chat, body);
    } else if (chance_hit(chance, 25)) {
        call(self, CALL_DELETE_CHAT, chat, "{}");
    } else if (chance_hit(chance, 250)) {
        meddle(self, chat);
    } else if (chance_hit(chance, 100)) {
        call(self, CALL_GET_EVENTS, chat, "{\"since\":0}");
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
