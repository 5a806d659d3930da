#include "store/final_rows.h"

#include "id.h"
#include "strmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define KINDS      (CHANGE_GARBAGE_ADD + 1)
#define ROWS_MAX   16384          /* about 2 MiB */
#define SLOTS      (2 * ROWS_MAX) /* a power of two */
#define FIRST_ROOM 64

struct list {
    struct change *rows;
    size_t count, room;
};

/* Where a row that may be put again lies. */
struct slot {
    uint32_t round; /* of another round: free */
    uint32_t hash;
    enum change_kind kind;
    uint32_t at;
};

struct final_rows {
    struct list lists[KINDS];
    size_t rows;
    uint32_t round; /* from 1; a new one frees all slots */
    uint8_t secret[16];
    struct slot *slots; /* linear probing; about half are taken at most */
};

enum err final_rows_new(struct final_rows **out)
{
    struct final_rows *self = calloc(1, sizeof *self);
    if (self && !(self->slots = calloc(SLOTS, sizeof *self->slots)))
        final_rows_destroy(&self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    self->round = 1;
    id_random(self->secret, sizeof self->secret);
    return ERR_OK;
}

void final_rows_destroy(struct final_rows **self_p)
{
    struct final_rows *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < KINDS; i++)
        free(self->lists[i].rows);
    free(self->slots);
    free(self);
}

void final_rows_clear(struct final_rows *self)
{
    for (size_t i = 0; i < KINDS; i++)
        self->lists[i].count = 0;
    self->rows = 0;
    if (++self->round == 0) {
        memset(self->slots, 0, SLOTS * sizeof *self->slots);
        self->round = 1;
    }
}

bool final_rows_full(const struct final_rows *self)
{
    return self->rows >= ROWS_MAX;
}

size_t final_rows_count(const struct final_rows *self, enum change_kind kind)
{
    return self->lists[kind].count;
}

const struct change *final_rows_at(const struct final_rows *self, enum change_kind kind, size_t i)
{
    return &self->lists[kind].rows[i];
}

/* ---- finding a row again ---- */

/* What makes a row the same one, in the list of its kind. */
struct key {
    enum change_kind kind;
    const char *id, *chat_id;
    uint32_t index;
};

/* Of an event: its chat's. */
static struct key key_of(const struct change *change)
{
    const struct change *c = change;
    switch (c->kind) {
    case CHANGE_CHAT_PUT: return (struct key){CHANGE_CHAT_PUT, c->of.chat.chat_id, "", 0};
    case CHANGE_EVENT_ADD: return (struct key){CHANGE_CHAT_PUT, c->of.event.chat_id, "", 0};
    case CHANGE_JOB_PUT: return (struct key){CHANGE_JOB_PUT, c->of.job.job_id, c->of.job.chat_id, 0};
    case CHANGE_STEP_PUT: return (struct key){CHANGE_STEP_PUT, c->of.step.job_id, c->of.step.chat_id, c->of.step.index};
    case CHANGE_CHAT_DELETE:
    case CHANGE_MESSAGE_ADD:
    case CHANGE_FILE_ADD:
    case CHANGE_ANSWER_PUT:
    case CHANGE_GARBAGE_ADD: break;
    }
    return (struct key){c->kind, "", "", 0};
}

static bool same(const struct key *a, const struct key *b)
{
    return a->index == b->index && strcmp(a->id, b->id) == 0 && strcmp(a->chat_id, b->chat_id) == 0;
}

/* The slot of the row, or the free one it would take. */
static struct slot *find(struct final_rows *self, const struct key *key, uint32_t *hash)
{
    *hash = (uint32_t)siphash(self->secret, key->id, strlen(key->id)) + key->index;
    for (size_t i = *hash % SLOTS;; i = (i + 1) % SLOTS) {
        struct slot *slot = &self->slots[i];
        if (slot->round != self->round)
            return slot;
        if (slot->hash != *hash || slot->kind != key->kind)
            continue;
        struct key there = key_of(&self->lists[slot->kind].rows[slot->at]);
        if (same(&there, key))
            return slot;
    }
}

/* ---- adding ---- */

static enum err append(struct final_rows *self, enum change_kind kind, const struct change *change)
{
    struct list *list = &self->lists[kind];
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : FIRST_ROOM;
        struct change *rows = realloc(list->rows, room * sizeof *rows);
        if (!rows)
            return ERR_MEMORY;
        list->rows = rows;
        list->room = room;
    }
    list->rows[list->count++] = *change;
    self->rows++;
    return ERR_OK;
}

/* The row of that key: the one there is, or a copy of `change` that it has become now. */
static enum err claim(struct final_rows *self, const struct change *change, struct change **row)
{
    struct key key = key_of(change);
    struct list *list = &self->lists[key.kind];
    uint32_t hash;
    struct slot *slot = find(self, &key, &hash);
    if (slot->round != self->round) {
        enum err err = append(self, key.kind, change);
        if (err != ERR_OK)
            return err;
        *slot = (struct slot){self->round, hash, key.kind, (uint32_t)(list->count - 1)};
    }
    *row = &list->rows[slot->at];
    return ERR_OK;
}

static enum err put(struct final_rows *self, const struct change *change)
{
    struct change *row;
    enum err err = claim(self, change, &row);
    if (err == ERR_OK)
        *row = *change;
    return err;
}

static enum err move_head(struct final_rows *self, const struct change *event)
{
    struct change *chat;
    enum err err = claim(self, event, &chat);
    if (err == ERR_OK && chat->kind == CHANGE_CHAT_PUT)
        chat->of.chat.head = event->of.event.seq;
    else if (err == ERR_OK)
        *chat = *event;
    return err;
}

enum err final_rows_add(struct final_rows *self, const struct change *change)
{
    enum err err;
    switch (change->kind) {
    case CHANGE_CHAT_PUT:
    case CHANGE_JOB_PUT:
    case CHANGE_STEP_PUT: return put(self, change);
    case CHANGE_EVENT_ADD:
        err = move_head(self, change);
        return err == ERR_OK ? append(self, CHANGE_EVENT_ADD, change) : err;
    case CHANGE_MESSAGE_ADD:
    case CHANGE_FILE_ADD:
    case CHANGE_ANSWER_PUT:
    case CHANGE_GARBAGE_ADD: return append(self, change->kind, change);
    case CHANGE_CHAT_DELETE: break;
    }
    assert(change->kind != CHANGE_CHAT_DELETE);
    return ERR_INTERNAL;
}
