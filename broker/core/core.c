#include "core/core.h"

#include "core/call.h"
#include "core/follow.h"
#include "core/handlers.h"
#include "core/lease.h"
#include "core/roster.h"

#include <stdlib.h>
#include <string.h>

#define TRIM_EVERY_MS 1000

/* ---- life ---- */

static enum err new_maps(struct core *self)
{
    struct strmap **const maps[] = {&self->chats,  &self->links,   &self->workers,
                                    &self->leases, &self->waiters, &self->publishers};
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof maps / sizeof *maps && err == ERR_OK; i++)
        err = strmap_new(maps[i]);
    if (err == ERR_OK)
        err = dedupe_new(&self->answers, self->settings.remembered_max);
    return err == ERR_OK ? dedupe_new(&self->events, self->settings.remembered_max) : err;
}

enum err core_new(struct core **out, const struct core_settings *settings, const struct random_source *random,
                  struct token newest, uint64_t rooms)
{
    struct core *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    self->settings = *settings;
    self->random = *random;
    self->term = newest.term;
    self->counter = newest.counter;
    self->rooms = rooms;
    self->scratch = BUF_INIT(settings->event_bytes_max);
    enum err err = new_maps(self);
    if (err != ERR_OK)
        core_destroy(&self);
    *out = self;
    return err;
}

struct token core_newest_token(const struct core *self)
{
    return (struct token){self->term, self->counter};
}

/* Empties a map; the end of a value takes it out itself or leaves that to us. */
static void end_each(struct core *self, struct strmap *map, void (*end)(struct core *, void *))
{
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (map && strmap_next(map, &cursor, &key, &len, &value))
        end(self, value);
}

static void end_link(struct core *self, void *value)
{
    feed_link_closed(self, value);
}

static void end_chat(struct core *self, void *value)
{
    chat_destroy(self, value);
}

static void end_worker(struct core *self, void *value)
{
    roster_remove(self, value);
}

static void end_publisher(struct core *self, void *value)
{
    (void)self;
    free(value);
}

void core_destroy(struct core **self_p)
{
    struct core *self = *self_p;
    if (!self)
        return;
    core_forget_past(self);
    end_each(self, self->links, end_link);
    end_each(self, self->chats, end_chat);
    end_each(self, self->workers, end_worker);
    end_each(self, self->publishers, end_publisher);
    strmap_destroy(&self->chats);
    strmap_destroy(&self->links);
    strmap_destroy(&self->workers);
    strmap_destroy(&self->leases);
    strmap_destroy(&self->waiters);
    strmap_destroy(&self->publishers);
    dedupe_destroy(&self->answers);
    dedupe_destroy(&self->events);
    buf_fini(&self->scratch);
    free(self);
    *self_p = NULL;
}

void core_trim(struct core *self, struct core_time now)
{
    size_t chats = strmap_count(self->chats);
    bool many =
        chats > self->trimmed_chats + CHATS_IDLE_MAX; /* a flood of names does not wait for its second to pass */
    if (!many && now.mono_ms - self->trimmed_ms < TRIM_EVERY_MS)
        return;
    self->trimmed_ms = now.mono_ms;
    int64_t idle_ms = chats > CHATS_IDLE_MAX ? 0 : CHAT_IDLE_MS;
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(self->chats, &cursor, &key, &len, &value))
        if (chat_idle(value, now.mono_ms, idle_ms))
            chat_destroy(self, value);
    self->trimmed_chats = strmap_count(self->chats);
}

struct core_counts core_count(const struct core *self)
{
    struct core_counts counts = {
        .chats = strmap_count(self->chats),
        .links = strmap_count(self->links),
        .open_jobs = self->open_jobs,
        .rooms = self->rooms,
        .frames_refused = self->frames_refused,
        .publish_lost = self->publish_lost,
    };
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(self->workers, &cursor, &key, &len, &value)) {
        const struct worker *worker = value;
        counts.workers += !worker->draining;
        counts.free_slots += worker->free_slots;
    }
    return counts;
}
