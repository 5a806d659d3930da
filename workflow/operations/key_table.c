#include "operations/key_table.h"

#include "id.h"
#include "strmap.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024         /* a power of two, as all that follow: at most 2^32 */
#define BLOCK_BYTES (256u << 10) /* entries are kept in blocks; a longer one gets a block of its own */

/* 16 bytes, so that a large table stays in the cache as long as possible: half a hash is enough to place and tell apart
 * what fits into memory. */
struct entry {
    uint32_t hash;
    uint32_t len;      /* of the key */
    const char *bytes; /* the key, then its value; NULL = free slot */
};

struct block {
    struct block *next;
    size_t used, room;
    char bytes[];
};

/* Open addressing with linear probing, at most 3/4 full. */
struct key_table {
    uint8_t hash_key[16];
    struct entry *slot;
    size_t slots, count;
    struct block *block; /* newest first */
    uint64_t memory, memory_max;
};

/* Zeroed memory within the limit, or NULL. */
static void *take_memory(struct key_table *self, size_t size)
{
    if (self->memory_max != 0 && (size > self->memory_max || self->memory > self->memory_max - size))
        return NULL;
    void *memory = calloc(1, size);
    if (memory)
        self->memory += size;
    return memory;
}

enum err key_table_new(struct key_table **out, uint64_t memory_max)
{
    struct key_table *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    self->memory_max = memory_max;
    self->slots = FIRST_SLOTS;
    id_random(self->hash_key, sizeof self->hash_key);
    self->slot = take_memory(self, self->slots * sizeof *self->slot);
    if (self->slot)
        return ERR_OK;
    key_table_destroy(out);
    return ERR_MEMORY;
}

void key_table_destroy(struct key_table **self_p)
{
    struct key_table *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (self->block) {
        struct block *next = self->block->next;
        free(self->block);
        self->block = next;
    }
    free(self->slot);
    free(self);
}

size_t key_table_count(const struct key_table *self)
{
    return self->count;
}

uint64_t key_table_bytes(const struct key_table *self)
{
    return self->memory;
}

/* The slot that holds the key, or the free one where it belongs. */
static struct entry *find_slot(const struct key_table *self, uint32_t hash, const char *key, size_t len)
{
    size_t mask = self->slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct entry *entry = &self->slot[i];
        if (!entry->bytes ||
            (entry->hash == hash && entry->len == len && (len == 0 || memcmp(entry->bytes, key, len) == 0)))
            return entry;
    }
}

uint32_t key_table_hash(const struct key_table *self, const char *key, size_t len)
{
    uint32_t hash = (uint32_t)siphash(self->hash_key, key, len);
    __builtin_prefetch(&self->slot[hash & (self->slots - 1)]);
    return hash;
}

/* The first entry in the way is nearly always the one. */
void key_table_approach(const struct key_table *self, uint32_t hash)
{
    __builtin_prefetch(self->slot[hash & (self->slots - 1)].bytes);
}

const char *key_table_find_hashed(const struct key_table *self, uint32_t hash, const char *key, size_t len)
{
    const struct entry *entry = find_slot(self, hash, key, len);
    return entry->bytes ? entry->bytes + entry->len : NULL;
}

const char *key_table_find(const struct key_table *self, const char *key, size_t len)
{
    return key_table_find_hashed(self, (uint32_t)siphash(self->hash_key, key, len), key, len);
}

static bool grow(struct key_table *self)
{
    struct entry *old = self->slot;
    size_t old_slots = self->slots;
    struct entry *slot = take_memory(self, old_slots * 2 * sizeof *slot);
    if (!slot)
        return false;
    self->slot = slot;
    self->slots = old_slots * 2;
    for (size_t i = 0; i < old_slots; i++) {
        if (old[i].bytes)
            *find_slot(self, old[i].hash, old[i].bytes, old[i].len) = old[i];
    }
    free(old);
    self->memory -= old_slots * sizeof *old;
    return true;
}

static char *take_room(struct key_table *self, size_t len)
{
    struct block *block = self->block;
    if (!block || len > block->room - block->used) {
        size_t room = len > BLOCK_BYTES ? len : BLOCK_BYTES;
        block = take_memory(self, sizeof *block + room);
        if (!block)
            return NULL;
        block->next = self->block;
        block->room = room;
        self->block = block;
    }
    char *room = block->bytes + block->used;
    block->used += len;
    return room;
}

enum err key_table_add(struct key_table *self, const char *key, size_t len, const char *value, size_t value_len,
                       bool *added)
{
    *added = false;
    if (len > UINT32_MAX || ((self->count + 1) * 4 > self->slots * 3 && !grow(self)))
        return ERR_MEMORY;
    uint32_t hash = (uint32_t)siphash(self->hash_key, key, len);
    struct entry *entry = find_slot(self, hash, key, len);
    if (entry->bytes)
        return ERR_OK;
    char *kept = take_room(self, len + value_len);
    if (!kept)
        return ERR_MEMORY;
    if (len > 0)
        memcpy(kept, key, len);
    if (value_len > 0)
        memcpy(kept + len, value, value_len);
    *entry = (struct entry){.hash = hash, .len = (uint32_t)len, .bytes = kept};
    self->count++;
    *added = true;
    return ERR_OK;
}

enum err key_table_encode(const struct cell *cell, uint32_t count, struct buf *to)
{
    buf_clear(to);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        char space[CELL_NUMBER_MAX];
        size_t len;
        const char *text = cell_as_text(&cell[i], space, &len);
        uint32_t len32 = (uint32_t)len;
        err = buf_add(to, &len32, sizeof len32);
        if (err == ERR_OK)
            err = buf_add(to, text, len);
    }
    return err == ERR_OK ? ERR_OK : ERR_MEMORY;
}
