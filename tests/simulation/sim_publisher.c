/* Outside programs. Even ones speak to the acknowledged port (DEALER), one event at a time, and send it again under the
 * same event_id until it is acknowledged; odd ones send and forget (PUB), with numbers of their own and progress. */
#include "sim.h"

#include "json_scan.h"
#include "referee.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_US   260000
#define RESEND_US  1200000
#define BODY_BYTES 600

struct sim_publisher {
    struct world *world;
    int number;
    struct process process;
    struct conn conn;
    bool acknowledged;
    bool waiting; /* for an answer */
    int chat;
    uint64_t count;
    char event_id[48], message[BODY_BYTES];
    size_t len;
    int64_t sent_us;
};

static void work(struct world *world, void *owner);

static void made(struct world *world, struct conn *conn)
{
    struct sim_publisher *self = conn->owner;
    process_wake(world, &self->process);
}

static void broken(struct world *world, struct conn *conn)
{
    struct sim_publisher *self = conn->owner;
    self->sent_us = INT64_MIN / 2;
    process_wake(world, &self->process);
}

static void compose(struct sim_publisher *self, int chat, const char *type, const char *more)
{
    self->chat = chat;
    self->count++;
    snprintf(self->event_id, sizeof self->event_id, "p%d-%llu", self->number, (unsigned long long)self->count);
    self->len = (size_t)snprintf(self->message, sizeof self->message,
                                 "%s%c{\"type\":\"%s\",\"event_id\":\"%s\",\"publisher\":\"p%d\",\"pub_seq\":%llu%s}",
                                 world_chats[self->chat], 0, type, self->event_id, self->number,
                                 (unsigned long long)self->count, more);
}

static void send_again(struct sim_publisher *self)
{
    if (conn_send(self->world, &self->conn, SIDE_CLIENT, self->message, self->len))
        self->sent_us = self->world->now_us;
}

static void publish(struct sim_publisher *self)
{
    char more[420] = "";
    struct chance *chance = &self->world->chance;
    if (chance_hit(chance, 200)) /* large ones make batches and queues full */
        snprintf(more, sizeof more, ",\"text\":\"%0*d\"", (int)chance_between(chance, 50, 300), 7);
    compose(self, (int)chance_below(chance, CHATS), "note", more);
    self->waiting = self->acknowledged;
    send_again(self);
}

/* Of some steps of one chat, in one go. */
static void publish_progress(struct sim_publisher *self)
{
    struct chance *chance = &self->world->chance;
    int chat = (int)chance_below(chance, CHATS);
    for (uint32_t left = 1 + chance_below(chance, SIM_OUTSIDE_STEPS); left > 0; left--) {
        char more[120];
        snprintf(more, sizeof more, ",\"step_id\":\"s%u\",\"progress\":%u,\"status\":\"%s\"",
                 chance_below(chance, SIM_OUTSIDE_STEPS), chance_below(chance, 101),
                 chance_hit(chance, 200) ? "completed" : "running");
        compose(self, chat, "progress", more);
        send_again(self);
    }
}

static void take_answer(struct sim_publisher *self, const struct letter *letter)
{
    struct json_members members;
    int64_t seq;
    TRACE(self->world, "publisher %d < %s", self->number, letter->bytes);
    if (!self->waiting || json_scan_object(letter->bytes, letter->len, &members, NULL) != ERR_OK)
        return;
    char event_id[48];
    if (json_member_plain_text(json_members_find(&members, "event_id"), event_id, sizeof event_id) &&
        strcmp(event_id, self->event_id) != 0)
        return; /* of an event that was sent twice */
    if (json_member_int(json_members_find(&members, "seq"), &seq)) {
        referee_published(self->world, self->chat, self->event_id, (uint64_t)seq);
        self->waiting = false;
        return;
    }
    char why[100] = "";
    json_member_plain_text(json_members_find(&members, "error"), why, sizeof why);
    if (strncmp(why, "Too many chats", 14) == 0)
        self->waiting = false; /* refused for good */
    else
        self->sent_us = self->world->now_us - RESEND_US / 2;
}

static void work(struct world *world, void *owner)
{
    struct sim_publisher *self = owner;
    struct letter *letter;
    while ((letter = process_take(&self->process))) {
        if (letter->generation == self->conn.generation)
            take_answer(self, letter);
        free(letter);
    }
    if (self->waiting && world->now_us - self->sent_us > RESEND_US)
        send_again(self);
}

static void timer(struct world *world, void *who, uint64_t arg)
{
    struct sim_publisher *self = who;
    world_at(world, chance_between(&world->chance, EVERY_US / 2, EVERY_US * 3), timer, self, arg);
    if (self->waiting)
        process_wake(world, &self->process);
    else if (world->calm || !self->conn.up)
        return;
    else if (!self->acknowledged && chance_hit(&world->chance, 400))
        publish_progress(self);
    else
        publish(self);
}

enum err sim_publisher_new(struct world *world, int i)
{
    struct sim_publisher *self = calloc(1, sizeof *self);
    world->publishers[i] = self;
    if (!self)
        return ERR_MEMORY;
    self->world = world;
    self->number = i;
    self->acknowledged = i % 2 == 0;
    self->process = (struct process){.name = "publisher", .slow_us = 500, .work = work, .owner = self};
    self->conn = (struct conn){.kind = self->acknowledged ? CONN_PUBLISH_ACK : CONN_PUBLISH,
                               .client = &self->process,
                               .server = sim_broker_process(world),
                               .owner = self,
                               .made = made,
                               .broken = broken};
    conn_join(world, &self->conn);
    return ERR_OK;
}

void sim_publisher_free(struct world *world, int i)
{
    struct sim_publisher *self = world->publishers[i];
    world->publishers[i] = NULL;
    if (!self)
        return;
    process_end(&self->process);
    conn_fini(&self->conn);
    free(self);
}

void sim_publisher_start(struct world *world, int i)
{
    struct sim_publisher *self = world->publishers[i];
    process_start(world, &self->process);
    conn_want(world, &self->conn);
    timer(world, self, 0);
}

bool sim_publisher_idle(const struct world *world, int i)
{
    return !world->publishers[i]->waiting;
}
