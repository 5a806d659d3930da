#include "core/roster.h"

#include <stdlib.h>
#include <string.h>

struct worker *roster_find(const struct core *core, const char *id)
{
    return strmap_get(core->workers, id, strlen(id));
}

struct worker *roster_add(struct core *core, const char *id)
{
    struct worker *self = core_alloc(core, sizeof *self);
    if (!self)
        return NULL;
    memcpy(self->id, id, strlen(id) + 1);
    enum err err = strmap_put(core->workers, id, strlen(id), self, NULL);
    if (err == ERR_OK)
        return self;
    core_fail(core, err);
    free(self);
    return NULL;
}

void roster_remove(struct core *core, struct worker *self)
{
    strmap_take(core->workers, self->id, strlen(self->id));
    free(self);
}

struct worker *roster_pick(const struct core *core)
{
    struct worker *best = NULL;
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(core->workers, &cursor, &key, &len, &value)) {
        struct worker *worker = value;
        bool heard = core->now.mono_ms - worker->heard_ms <= 3 * core->settings.beat_ms;
        if (!heard || worker->draining || worker->free_slots == 0)
            continue;
        if (!best || worker->free_slots > best->free_slots ||
            (worker->free_slots == best->free_slots && strcmp(worker->id, best->id) < 0))
            best = worker;
    }
    return best;
}
