#include "live/live.h"

#include "live/loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define STOP_GRACE_MS 5000 /* beyond the drain: the loop closes its handles */

struct live {
    struct loop_ends ends;
    struct live_counters counters;
    struct uplink_feed feed;
    pthread_mutex_t lock; /* guards `actor`, which the uplink's thread uses and main() takes away */
    struct actor *actor;  /* NULL: not started, or stopping */
};

/* The functions of the feed run in the uplink's thread, which starts before the loop and ends after it. */
static enum err tell(struct live *self, const struct mail *letter)
{
    pthread_mutex_lock(&self->lock);
    enum err err = self->actor ? actor_tell(self->actor, letter) : ERR_FULL;
    pthread_mutex_unlock(&self->lock);
    return err;
}

static void on_link(void *ctx, uint64_t link)
{
    struct live *self = ctx;
    atomic_store(&self->ends.link, link);
    if (link)
        atomic_fetch_add(&self->counters.links_opened, 1);
    enum err err = tell(self, &(struct mail){.kind = LOOP_LINK});
    (void)err; /* a full mailbox is read soon, and the loop looks at the link with every letter */
}

static bool on_batch(void *ctx, uint64_t link, const void *bytes, size_t len)
{
    struct live *self = ctx;
    void *copy = malloc(len ? len : 1);
    if (!copy)
        return false;
    memcpy(copy, bytes, len);
    struct mail letter = {.kind = LOOP_BATCH, .number = link, .body = copy, .len = len};
    enum err err = tell(self, &letter);
    if (err == ERR_FULL) {
        /* Tried once more behind the flag: the loop may have made room before it could see it. */
        atomic_store(&self->ends.starved, true);
        err = tell(self, &letter);
    }
    if (err != ERR_OK)
        free(copy);
    return err == ERR_OK;
}

enum err live_new(struct live **out, const struct settings *settings, struct fault *why)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return fault_set(why, ERR_MEMORY, "live: no memory");
    pthread_mutex_init(&(*out)->lock, NULL);
    (*out)->ends.settings = settings;
    (*out)->ends.counters = &(*out)->counters;
    (*out)->feed = (struct uplink_feed){*out, on_link, on_batch};
    return ERR_OK;
}

const struct uplink_feed *live_feed(struct live *self)
{
    return &self->feed;
}

enum err live_start(struct live *self, struct uplink *uplink, struct fault *why)
{
    struct actor *actor;
    self->ends.uplink = uplink;
    enum err err = actor_start(&actor, "live", LOOP_BATCHES_MAX, loop_body, &self->ends, why);
    pthread_mutex_lock(&self->lock);
    self->actor = actor;
    pthread_mutex_unlock(&self->lock);
    return err;
}

uint16_t live_port(const struct live *self)
{
    return (uint16_t)atomic_load(&self->ends.port);
}

void live_stop(struct live *self, int deadline_ms)
{
    pthread_mutex_lock(&self->lock);
    struct actor *actor = self->actor;
    self->actor = NULL;
    pthread_mutex_unlock(&self->lock);
    atomic_store(&self->ends.drain_ms, deadline_ms);
    actor_stop(&actor, deadline_ms + STOP_GRACE_MS);
}

void live_destroy(struct live **self_p)
{
    if (*self_p)
        pthread_mutex_destroy(&(*self_p)->lock);
    free(*self_p);
    *self_p = NULL;
}

const struct live_counters *live_counters(const struct live *self)
{
    return &self->counters;
}
