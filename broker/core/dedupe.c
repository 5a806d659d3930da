#include "core/dedupe.h"

#include "strmap.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    void *value;
    size_t len;
    unsigned char key[];
};

struct dedupe {
    struct strmap *map; /* key -> struct kept */
    struct kept **ring; /* in the order they came; the slot at `next` is the oldest when full */
    uint32_t max, next;
};

enum err dedupe_new(struct dedupe **out, uint32_t max)
{
    struct dedupe *self = calloc(1, sizeof *self);
    enum err err = self ? strmap_new(&self->map) : ERR_MEMORY;
    if (err == ERR_OK) {
        self->max = max ? max : 1;
        self->ring = calloc(self->max, sizeof(struct kept *));
        err = self->ring ? ERR_OK : ERR_MEMORY;
    }
    if (err != ERR_OK)
        dedupe_destroy(&self);
    *out = self;
    return err;
}

static void drop(struct dedupe *self, struct kept *kept)
{
    strmap_take(self->map, kept->key, kept->len);
    free(kept->value);
    free(kept);
}

void dedupe_destroy(struct dedupe **self_p)
{
    struct dedupe *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; self->ring && i < self->max; i++)
        if (self->ring[i])
            drop(self, self->ring[i]);
    strmap_destroy(&self->map);
    free(self->ring);
    free(self);
    *self_p = NULL;
}

static enum err put_new(struct dedupe *self, const void *key, size_t len, void *value)
{
    struct kept *kept = malloc(sizeof *kept + len);
    enum err err = kept ? strmap_put(self->map, key, len, kept, NULL) : ERR_MEMORY;
    if (err != ERR_OK) {
        free(kept);
        free(value);
        return err;
    }
    kept->value = value;
    kept->len = len;
    memcpy(kept->key, key, len);
    if (self->ring[self->next])
        drop(self, self->ring[self->next]);
    self->ring[self->next] = kept;
    self->next = (self->next + 1) % self->max;
    return ERR_OK;
}

enum err dedupe_put(struct dedupe *self, const void *key, size_t len, void **value)
{
    struct kept *kept = strmap_get(self->map, key, len);
    void *given = *value;
    *value = NULL;
    if (!kept)
        return put_new(self, key, len, given);
    free(kept->value);
    kept->value = given;
    return ERR_OK;
}

void dedupe_forget(struct dedupe *self, bool (*one_of)(const void *value, const void *context), const void *context)
{
    for (uint32_t i = 0; i < self->max; i++) {
        if (!self->ring[i] || !one_of(self->ring[i]->value, context))
            continue;
        drop(self, self->ring[i]);
        self->ring[i] = NULL;
    }
}

void *dedupe_get(const struct dedupe *self, const void *key, size_t len)
{
    const struct kept *kept = strmap_get(self->map, key, len);
    return kept ? kept->value : NULL;
}
