#include "core/dedupe.h"

#include "strmap.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    struct kept *next; /* the one that came after it */
    void *value;
    size_t len;
    unsigned char key[];
};

struct dedupe {
    struct strmap *map; /* key -> struct kept */
    struct kept *oldest, **end;
    size_t count, new_ones; /* the last `new_ones` came since the last settling */
    uint32_t max;
};

enum err dedupe_new(struct dedupe **out, uint32_t max)
{
    struct dedupe *self = calloc(1, sizeof *self);
    enum err err = self ? strmap_new(&self->map) : ERR_MEMORY;
    if (err == ERR_OK) {
        self->max = max ? max : 1;
        self->end = &self->oldest;
    } else {
        dedupe_destroy(&self);
    }
    *out = self;
    return err;
}

/* Takes the one that *at points to out of the list. */
static void drop(struct dedupe *self, struct kept **at)
{
    struct kept *kept = *at;
    *at = kept->next;
    if (!kept->next)
        self->end = at;
    self->count--;
    strmap_take(self->map, kept->key, kept->len);
    free(kept->value);
    free(kept);
}

void dedupe_destroy(struct dedupe **self_p)
{
    struct dedupe *self = *self_p;
    if (!self)
        return;
    while (self->oldest)
        drop(self, &self->oldest);
    strmap_destroy(&self->map);
    free(self);
    *self_p = NULL;
}

static void make_room(struct dedupe *self)
{
    while (self->count > self->max && self->count > self->new_ones)
        drop(self, &self->oldest);
}

static struct kept *kept_new(const void *key, size_t len, void *value)
{
    struct kept *kept = malloc(sizeof *kept + len);
    if (!kept)
        return NULL;
    kept->next = NULL;
    kept->value = value;
    kept->len = len;
    memcpy(kept->key, key, len);
    return kept;
}

static void append(struct dedupe *self, struct kept *kept)
{
    *self->end = kept;
    self->end = &kept->next;
    self->count++;
    self->new_ones++;
    make_room(self);
}

enum err dedupe_put(struct dedupe *self, const void *key, size_t len, void **value)
{
    void *given = *value, **place;
    *value = NULL;
    enum err err = strmap_place(self->map, key, len, &place);
    struct kept *kept = err == ERR_OK ? *place : NULL;
    if (kept) {
        free(kept->value);
        kept->value = given;
        return ERR_OK;
    }
    kept = err == ERR_OK ? kept_new(key, len, given) : NULL;
    if (!kept) {
        strmap_drop(self->map, key, len, NULL);
        free(given);
        return ERR_MEMORY;
    }
    *place = kept;
    append(self, kept);
    return ERR_OK;
}

void dedupe_settle(struct dedupe *self)
{
    self->new_ones = 0;
    make_room(self);
}

void dedupe_forget(struct dedupe *self, bool (*one_of)(const void *value, const void *context), const void *context)
{
    size_t old = self->count - self->new_ones;
    for (struct kept **at = &self->oldest; *at;) {
        bool is_new = old == 0;
        old -= !is_new;
        if (one_of((*at)->value, context)) {
            drop(self, at);
            self->new_ones -= is_new;
        } else {
            at = &(*at)->next;
        }
    }
}

void *dedupe_get(const struct dedupe *self, const void *key, size_t len)
{
    const struct kept *kept = strmap_get(self->map, key, len);
    return kept ? kept->value : NULL;
}
