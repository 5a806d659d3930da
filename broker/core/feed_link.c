#include "core/feed_link.h"

#include "core/follow.h"

#include <stdlib.h>

#define BATCH_LIMIT  ((size_t)64 << 20) /* records larger than link_batch_bytes still fit */
#define RECORD_HEAD  512                /* a record's fields beside its body: upper bound */
#define SILENT_BEATS 3

struct feed_link *feed_link_find(const struct core *core, uint64_t number)
{
    return strmap_get(core->links, &number, sizeof number);
}

static void send_batch(struct core *core, struct feed_link *self, struct buf *batch)
{
    struct effect *effect = core_effect(core, EFFECT_FEED);
    if (!effect)
        return;
    effect->link = self->number;
    effect->bytes = *batch;
    *batch = BUF_INIT(BATCH_LIMIT);
}

void feed_link_flush(struct core *core, struct feed_link *self)
{
    if (self->batch_count == 0)
        return;
    feed_batch_close(&self->batch, ++self->sent, self->batch_count);
    self->batch_count = 0;
    send_batch(core, self, &self->batch);
}

static void beat(struct core *core, struct feed_link *self)
{
    feed_link_flush(core, self);
    struct buf bytes = BUF_INIT(BATCH_LIMIT);
    enum err err = feed_batch_open(&bytes, core->term);
    if (err == ERR_OK) {
        feed_batch_close(&bytes, self->sent, 0);
        send_batch(core, self, &bytes);
        self->beat_ms = core->now.mono_ms;
    } else {
        core_fail(core, err);
    }
    buf_fini(&bytes);
}

void feed_link_opened(struct core *core, uint64_t number)
{
    struct feed_link *old = feed_link_find(core, number);
    if (old)
        feed_link_closed(core, old);
    struct feed_link *self = core_alloc(core, sizeof *self);
    if (!self)
        return;
    self->number = number;
    self->batch = BUF_INIT(BATCH_LIMIT);
    self->heard_ms = core->now.mono_ms;
    enum err err = strmap_new(&self->attaches);
    if (err == ERR_OK)
        err = strmap_put(core->links, &number, sizeof number, self, NULL);
    if (err != ERR_OK) {
        core_fail(core, err);
        strmap_destroy(&self->attaches);
        free(self);
        return;
    }
    beat(core, self); /* tells the gateway that its link is open */
}

void feed_link_closed(struct core *core, struct feed_link *self)
{
    while (self->follows)
        follow_end(core, self->follows);
    strmap_take(core->links, &self->number, sizeof self->number);
    strmap_destroy(&self->attaches);
    buf_fini(&self->batch);
    free(self);
}

void feed_link_heard(struct core *core, struct feed_link *self, uint64_t received)
{
    self->heard_ms = core->now.mono_ms;
    if (received > self->acked && received <= self->sent)
        self->acked = received;
}

bool feed_link_has_room(const struct core *core, const struct feed_link *self)
{
    return self->batch_count > 0 || self->sent - self->acked < core->settings.link_window;
}

static bool append(struct core *core, struct feed_link *self, const struct feed_record *record)
{
    enum err err = self->batch.len == 0 ? feed_batch_open(&self->batch, core->term) : ERR_OK;
    if (err == ERR_OK)
        err = feed_batch_add(&self->batch, record);
    if (err == ERR_OK)
        self->batch_count++;
    else
        core_fail(core, err);
    return err == ERR_OK;
}

bool feed_link_add(struct core *core, struct feed_link *self, const struct feed_record *records, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += records[i].body.len + RECORD_HEAD;
    if (self->batch_count > 0 && self->batch.len + bytes > core->settings.link_batch_bytes)
        feed_link_flush(core, self);
    bool taken = feed_link_has_room(core, self);
    for (size_t i = 0; i < count && taken; i++)
        taken = append(core, self, &records[i]);
    return taken;
}

void feed_link_tick(struct core *core)
{
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(core->links, &cursor, &key, &len, &value)) {
        struct feed_link *self = value;
        if (core->now.mono_ms - self->heard_ms > (SILENT_BEATS + 1) * core->settings.beat_ms)
            feed_link_closed(core, self);
        else if (core->now.mono_ms - self->beat_ms >= core->settings.beat_ms)
            beat(core, self);
    }
}
