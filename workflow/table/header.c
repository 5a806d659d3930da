#include "table/header.h"

#include "table/source.h"

#include <stdio.h>
#include <stdlib.h>

#define SUFFIX_MAX  16 /* bytes of ".16384" */
#define UNNAMED_MAX 24 /* bytes of "Unnamed: 16383" */

/* The set of names that are taken: every name the file writes, wherever it stands, and every name made here.
 * `first` tells whether the column that may keep the plain name has come by; `next` is the next suffix to try. */
struct taken {
    struct cell name;
    uint32_t next;
    bool used;
};

struct maker {
    struct taken *slot;
    uint32_t mask;
    char *at; /* where the next name's bytes go */
};

static uint32_t hash_bytes(const char *text, size_t len)
{
    uint32_t hash = 2166136261u; /* FNV-1a; at most 2 x SOURCE_COLUMNS_MAX entries, so collisions stay bearable */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash ^ (hash >> 15);
}

/* The entry of a name, or the free slot where it belongs. */
static struct taken *find(const struct maker *self, const char *text, size_t len)
{
    for (uint32_t i = hash_bytes(text, len) & self->mask;; i = (i + 1) & self->mask) {
        struct taken *entry = &self->slot[i];
        if (entry->name.kind == CELL_EMPTY || (entry->name.len == len && memcmp(entry->name.is.text, text, len) == 0))
            return entry;
    }
}

static struct cell plain_name(struct maker *self, const struct cell *raw, uint32_t index)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(raw, space, &len);
    if (len == 0)
        len = (size_t)snprintf(self->at, UNNAMED_MAX, "Unnamed: %u", index);
    else
        memcpy(self->at, text, len);
    struct cell name = cell_text(self->at, len);
    self->at += len;
    return name;
}

static struct cell suffixed_name(struct maker *self, struct taken *base)
{
    size_t len = base->name.len;
    memcpy(self->at, base->name.is.text, len);
    for (;;) {
        size_t whole = len + (size_t)snprintf(self->at + len, SUFFIX_MAX, ".%u", ++base->next);
        struct taken *entry = find(self, self->at, whole);
        if (entry->name.kind == CELL_EMPTY) {
            *entry = (struct taken){.name = cell_text(self->at, whole), .used = true};
            self->at += whole;
            return entry->name;
        }
    }
}

static void make_names(struct maker *self, struct cell *names, const struct cell *raw, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        names[i] = plain_name(self, &raw[i], i);
        find(self, names[i].is.text, names[i].len)->name = names[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        struct taken *entry = find(self, names[i].is.text, names[i].len);
        if (entry->used)
            names[i] = suffixed_name(self, entry);
        entry->used = true;
    }
}

/* Every name may be written twice: plain, and with its suffix. */
static size_t bytes_needed(const struct cell *raw, uint32_t count)
{
    size_t bytes = 1;
    for (uint32_t i = 0; i < count; i++)
        bytes += 2 * ((size_t)raw[i].len + UNNAMED_MAX + SUFFIX_MAX + CELL_NUMBER_MAX);
    return bytes;
}

static uint32_t slots_needed(uint32_t count)
{
    uint32_t slots = 8;
    while (slots < 4 * count)
        slots *= 2;
    return slots;
}

enum err header_make(struct header *out, const struct cell *raw, uint32_t count, struct fault *why)
{
    *out = (struct header){.columns = {.count = 0}};
    if (count > SOURCE_COLUMNS_MAX)
        return fault_set(why, ERR_TOO_LARGE, "%u columns are more than the limit of %d", count, SOURCE_COLUMNS_MAX);
    uint32_t slots = slots_needed(count);
    struct maker maker = {.slot = calloc(slots, sizeof *maker.slot), .mask = slots - 1};
    out->cells = calloc((size_t)count + 1, sizeof *out->cells);
    out->bytes = malloc(bytes_needed(raw, count));
    enum err err = ERR_OK;
    if (maker.slot && out->cells && out->bytes) {
        maker.at = out->bytes;
        make_names(&maker, out->cells, raw, count);
        out->columns = (struct columns){.count = count, .name = out->cells};
    } else {
        header_fini(out);
        err = fault_set(why, ERR_MEMORY, "no memory for %u column names", count);
    }
    free(maker.slot);
    return err;
}

void header_fini(struct header *self)
{
    free(self->cells);
    free(self->bytes);
    *self = (struct header){.columns = {.count = 0}};
}
