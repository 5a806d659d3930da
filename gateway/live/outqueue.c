#include "live/outqueue.h"

#include <stdlib.h>
#include <string.h>

struct outqueue_item {
    struct outqueue_item *prev, *next;
    struct outqueue_item *progress_prev, *progress_next; /* in the list of waiting progress */
    struct frame *frame;
    enum out_kind kind;
    size_t key_len;
    char key[];
};

/* What an item costs: its own memory counts too, or a flood of tiny frames would be free. */
static size_t cost(const struct frame *frame, size_t key_len)
{
    return sizeof(struct outqueue_item) + key_len + frame->len;
}

void outqueue_init(struct outqueue *self, size_t bytes_max)
{
    memset(self, 0, sizeof *self);
    self->bytes_max = bytes_max;
}

static void unlist_progress(struct outqueue *self, struct outqueue_item *item)
{
    if (item->kind != OUT_PROGRESS)
        return;
    if (item->progress_prev)
        item->progress_prev->progress_next = item->progress_next;
    else
        self->progress = item->progress_next;
    if (item->progress_next)
        item->progress_next->progress_prev = item->progress_prev;
}

static void list_progress(struct outqueue *self, struct outqueue_item *item)
{
    if (item->kind != OUT_PROGRESS)
        return;
    item->progress_next = self->progress;
    if (self->progress)
        self->progress->progress_prev = item;
    self->progress = item;
}

static void remove_item(struct outqueue *self, struct outqueue_item *item)
{
    unlist_progress(self, item);
    if (item->prev)
        item->prev->next = item->next;
    else
        self->first = item->next;
    if (item->next)
        item->next->prev = item->prev;
    else
        self->last = item->prev;
    self->bytes -= cost(item->frame, item->key_len);
    frame_unref(&item->frame);
    free(item);
}

void outqueue_fini(struct outqueue *self)
{
    while (self->first)
        remove_item(self, self->first);
}

void outqueue_drop(struct outqueue *self)
{
    outqueue_fini(self);
}

bool outqueue_empty(const struct outqueue *self)
{
    return self->first == NULL;
}

static void drop_older_progress(struct outqueue *self, struct bytes key)
{
    struct outqueue_item *item = self->progress;
    while (item) {
        struct outqueue_item *next = item->progress_next;
        bool same = item->key_len == key.len && memcmp(item->key, key.at, key.len) == 0;
        if (same) {
            remove_item(self, item);
            self->conflated++;
        }
        item = next;
    }
}

static void append(struct outqueue *self, struct outqueue_item *item)
{
    item->prev = self->last;
    if (self->last)
        self->last->next = item;
    else
        self->first = item;
    self->last = item;
    list_progress(self, item);
}

static enum err put(struct outqueue *self, struct frame *frame, enum out_kind kind, struct bytes key)
{
    struct outqueue_item *item = calloc(1, sizeof *item + key.len);
    if (!item)
        return ERR_MEMORY;
    item->frame = frame_ref(frame);
    item->kind = kind;
    item->key_len = key.len;
    if (key.len > 0)
        memcpy(item->key, key.at, key.len);
    append(self, item);
    self->bytes += cost(frame, key.len);
    return ERR_OK;
}

enum err outqueue_put(struct outqueue *self, struct frame *frame, enum out_kind kind, struct bytes key)
{
    if (kind == OUT_DURABLE)
        key.len = 0;
    if (self->blocked && kind != OUT_DURABLE)
        drop_older_progress(self, key);
    size_t bytes = cost(frame, key.len);
    if (bytes > self->bytes_max || self->bytes > self->bytes_max - bytes)
        return ERR_FULL;
    return put(self, frame, kind, key);
}

enum err outqueue_put_last(struct outqueue *self, struct frame *frame)
{
    return put(self, frame, OUT_DURABLE, (struct bytes){"", 0});
}

size_t outqueue_take(struct outqueue *self, void *out, size_t room, size_t *frames)
{
    size_t taken = 0;
    *frames = 0;
    while (self->first && self->first->frame->len <= room - taken) {
        const struct frame *frame = self->first->frame;
        memcpy((char *)out + taken, frame->bytes, frame->len);
        taken += frame->len;
        remove_item(self, self->first);
        ++*frames;
    }
    return taken;
}

struct frame *outqueue_pop(struct outqueue *self)
{
    if (!self->first)
        return NULL;
    struct frame *frame = frame_ref(self->first->frame);
    remove_item(self, self->first);
    return frame;
}

void outqueue_set_blocked(struct outqueue *self, bool blocked)
{
    self->blocked = blocked;
}
