#include "core/effect.h"

#include <stdlib.h>

#define FIRST_EFFECTS    64
#define EFFECT_BYTES_MAX ((size_t)64 << 20) /* one frame; far above what any bound of the wire allows */

static void effect_fini(struct effect *self)
{
    buf_fini(&self->bytes);
    free(self->topic);
    free(self->query);
    free(self->note);
}

void effects_clear(struct effects *self)
{
    for (size_t i = 0; i < self->count; i++)
        effect_fini(&self->list[i]);
    self->count = 0;
}

void effects_fini(struct effects *self)
{
    effects_clear(self);
    free(self->list);
    *self = EFFECTS_INIT;
}

struct effect *effects_add(struct effects *self, enum effect_kind kind)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : FIRST_EFFECTS;
        struct effect *list = realloc(self->list, room * sizeof *list);
        if (!list)
            return NULL;
        self->list = list;
        self->room = room;
    }
    struct effect *effect = &self->list[self->count++];
    *effect = (struct effect){.kind = kind, .bytes = BUF_INIT(EFFECT_BYTES_MAX)};
    return effect;
}

static bool feed_is_first(const struct effects *self)
{
    for (size_t i = 1; i < self->count; i++)
        if (self->list[i].kind == EFFECT_FEED && self->list[i - 1].kind != EFFECT_FEED)
            return false;
    return true;
}

enum err effects_feed_first(struct effects *self)
{
    if (feed_is_first(self))
        return ERR_OK;
    struct effect *sorted = malloc(self->room * sizeof *sorted);
    if (!sorted)
        return ERR_MEMORY;
    size_t at = 0;
    for (int rest = 0; rest <= 1; rest++)
        for (size_t i = 0; i < self->count; i++)
            if ((self->list[i].kind != EFFECT_FEED) == rest)
                sorted[at++] = self->list[i];
    free(self->list);
    self->list = sorted;
    return ERR_OK;
}
