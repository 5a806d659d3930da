#include "net.h"

#include <stdlib.h>

#define CONNECT_US 20000 /* at most, between two attempts */
#define NOTICE_US  30000 /* at most, until an end sees that the other has gone */

static void empty(struct pipe *self)
{
    while (self->first) {
        struct letter *letter = self->first;
        self->first = letter->next;
        free(letter);
    }
    *self = (struct pipe){.last_at_us = 0};
}

void conn_fini(struct conn *self)
{
    empty(&self->pipes[0]);
    empty(&self->pipes[1]);
}

static void make(struct world *world, void *who, uint64_t arg)
{
    struct conn *self = who;
    (void)arg;
    self->asking = false;
    if (!self->wanted || self->up || !self->client || !self->client->up)
        return;
    if (!self->server || !self->server->up || self->stalled_until_us > world->now_us) {
        conn_want(world, self);
        return;
    }
    self->up = true;
    self->generation++;
    self->made(world, self);
}

void conn_want(struct world *world, struct conn *self)
{
    self->wanted = true;
    if (self->up || self->asking)
        return;
    self->asking = true;
    int64_t wait = self->server && self->server->up ? chance_between(&world->chance, 200, CONNECT_US) : 200000;
    world_at(world, wait, make, self, 0);
}

/* What the ends hear later is void when the connection has been made again meanwhile by its own side's closing. */
static void client_notices(struct world *world, void *who, uint64_t generation)
{
    struct conn *self = who;
    if (self->generation != (uint32_t)generation || !self->client->up)
        return;
    if (self->broken)
        self->broken(world, self);
    if (self->wanted)
        conn_want(world, self);
}

static void server_notices(struct world *world, void *who, uint64_t generation)
{
    struct conn *self = who;
    if (self->generation == (uint32_t)generation && self->server->up && self->server_lost)
        self->server_lost(world, self);
}

static void go_down(struct conn *self)
{
    self->up = false;
    self->stalled_until_us = 0;
    empty(&self->pipes[0]);
    empty(&self->pipes[1]);
}

void conn_arrive_late(struct world *world, void *who, uint64_t arg)
{
    struct letter *letter = who;
    (void)arg;
    process_put(world, letter->conn->server, letter);
}

/* What its client had sent before it closed the connection goes on its way: a prefix of it arrives, some time. */
static void send_off(struct world *world, struct conn *self)
{
    struct pipe *pipe = &self->pipes[SIDE_CLIENT];
    int64_t at = 0, slow = self->stalled_until_us > world->now_us ? self->stalled_until_us - world->now_us : 0;
    size_t prefix = chance_below(&world->chance, (uint32_t)pipe->count + 1);
    for (; prefix > 0; prefix--) {
        struct letter *letter = pipe->first;
        pipe->first = letter->next;
        at += chance_between(&world->chance, 50, 3000);
        world_at(world, slow + at, conn_arrive_late, letter, 0);
    }
}

void conn_unwant(struct world *world, struct conn *self)
{
    self->wanted = false;
    if (!self->up)
        return;
    send_off(world, self);
    go_down(self);
    world_at(world, chance_between(&world->chance, 100, NOTICE_US), server_notices, self, self->generation);
}

void conn_cut(struct world *world, struct conn *self)
{
    if (!self->up)
        return;
    go_down(self);
    world_at(world, chance_between(&world->chance, 100, NOTICE_US), client_notices, self, self->generation);
    world_at(world, chance_between(&world->chance, 100, NOTICE_US), server_notices, self, self->generation);
}

void conn_stall(struct world *world, struct conn *self, int64_t us)
{
    self->stalled_until_us = world->now_us + us;
}

void conn_cut_all(struct world *world, const struct process *end)
{
    for (size_t i = 0; i < world->conn_count; i++) {
        struct conn *conn = world->conns[i];
        if (conn->client == end)
            conn->wanted = false;
        if (conn->client == end || conn->server == end)
            conn_cut(world, conn);
    }
}

void conn_join(struct world *world, struct conn *self)
{
    self->index = (uint8_t)world->conn_count;
    world->conns[world->conn_count++] = self;
}

static void arrive(struct world *world, void *who, uint64_t arg)
{
    struct conn *self = who;
    enum conn_side from = arg & 1;
    struct pipe *pipe = &self->pipes[from];
    if (!self->up || self->generation != (uint32_t)(arg >> 1) || !pipe->first)
        return;
    if (self->stalled_until_us > world->now_us) {
        world_at(world, self->stalled_until_us - world->now_us, arrive, self, arg);
        return;
    }
    struct letter *letter = pipe->first;
    pipe->first = letter->next;
    if (!pipe->first)
        pipe->last = NULL;
    pipe->count--;
    letter->next = NULL;
    process_put(world, from == SIDE_CLIENT ? self->server : self->client, letter);
}

bool conn_send(struct world *world, struct conn *self, enum conn_side from, const void *bytes, size_t len)
{
    if (!self->up)
        return false;
    struct letter *letter = letter_new((int)self->kind, bytes, len);
    letter->conn = self;
    letter->generation = self->generation;
    struct pipe *pipe = &self->pipes[from];
    if (pipe->last)
        pipe->last->next = letter;
    else
        pipe->first = letter;
    pipe->last = letter;
    pipe->count++;
    int64_t at = world->now_us + chance_between(&world->chance, 50, 3000);
    if (at < pipe->last_at_us)
        at = pipe->last_at_us;
    if (at < self->stalled_until_us)
        at = self->stalled_until_us;
    pipe->last_at_us = at;
    world_at(world, at - world->now_us, arrive, self, (uint64_t)self->generation << 1 | from);
    return true;
}
