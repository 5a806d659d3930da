#include "operations/row_set.h"

#include "buf.h"
#include "id.h"
#include "strmap.h"

#include <stdlib.h>

#define FIRST_SLOTS 1024         /* a power of two */
#define BLOCK_BYTES (256u << 10) /* rows are kept in blocks; a longer row gets a block of its own */

struct entry {
    uint64_t hash;
    const char *bytes; /* NULL = free slot */
    size_t len;
};

struct block {
    struct block *next;
    size_t used, room;
    char bytes[];
};

/* Open addressing with linear probing, at most 3/4 full. */
struct row_set {
    uint8_t key[16];
    struct entry *slot;
    size_t slots, count;
    struct block *block; /* newest first */
    uint64_t memory, memory_max;
    struct buf row; /* the row being looked up */
};

static enum err no_memory(size_t rows, uint64_t memory_max, struct fault *why)
{
    if (memory_max == 0)
        return fault_set(why, ERR_MEMORY, "Out of memory after %zu different rows", rows);
    return fault_set(why, ERR_MEMORY,
                     "Finding duplicates among more than %zu different rows needs more memory than a step may have "
                     "(workflow.step_memory_mb: %llu)",
                     rows, (unsigned long long)(memory_max >> 20));
}

/* Zeroed memory within the limit, or NULL. */
static void *take_memory(struct row_set *self, size_t size)
{
    if (self->memory_max != 0 && (size > self->memory_max || self->memory > self->memory_max - size))
        return NULL;
    void *memory = calloc(1, size);
    if (memory)
        self->memory += size;
    return memory;
}

enum err row_set_new(struct row_set **out, uint64_t memory_max, struct fault *why)
{
    *out = NULL;
    struct row_set *self = calloc(1, sizeof *self);
    if (!self)
        return no_memory(0, 0, why);
    self->memory_max = memory_max;
    self->row = BUF_INIT(memory_max != 0 && memory_max < SIZE_MAX ? (size_t)memory_max : SIZE_MAX / 4);
    self->slots = FIRST_SLOTS;
    id_random(self->key, sizeof self->key);
    self->slot = take_memory(self, self->slots * sizeof *self->slot);
    if (!self->slot) {
        row_set_destroy(&self);
        return no_memory(0, memory_max, why);
    }
    *out = self;
    return ERR_OK;
}

void row_set_destroy(struct row_set **self_p)
{
    struct row_set *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (self->block) {
        struct block *next = self->block->next;
        free(self->block);
        self->block = next;
    }
    free(self->slot);
    buf_fini(&self->row);
    free(self);
}

/* The row as one string of bytes: length and text of each cell. */
static enum err encode(struct row_set *self, const struct cell *cell, uint32_t count)
{
    buf_clear(&self->row);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        char space[CELL_NUMBER_MAX];
        size_t len;
        const char *text = cell_as_text(&cell[i], space, &len);
        uint32_t len32 = (uint32_t)len;
        err = buf_add(&self->row, &len32, sizeof len32);
        if (err == ERR_OK)
            err = buf_add(&self->row, text, len);
    }
    return err;
}

/* The slot that holds the row, or the free one where it belongs. */
static struct entry *find_slot(const struct row_set *self, uint64_t hash, const char *bytes, size_t len)
{
    size_t mask = self->slots - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct entry *entry = &self->slot[i];
        if (!entry->bytes ||
            (entry->hash == hash && entry->len == len && (len == 0 || memcmp(entry->bytes, bytes, len) == 0)))
            return entry;
    }
}

static bool grow(struct row_set *self)
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

static const char *keep(struct row_set *self, const char *bytes, size_t len)
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
    char *kept = block->bytes + block->used;
    memcpy(kept, bytes, len);
    block->used += len;
    return kept;
}

uint64_t row_set_bytes(const struct row_set *self)
{
    return self->memory + self->row.room;
}

enum err row_set_add(struct row_set *self, const struct cell *cell, uint32_t count, bool *added, struct fault *why)
{
    *added = false;
    if (encode(self, cell, count) != ERR_OK || ((self->count + 1) * 4 > self->slots * 3 && !grow(self)))
        return no_memory(self->count, self->memory_max, why);
    const char *bytes = buf_text(&self->row);
    if (!bytes)
        return no_memory(self->count, self->memory_max, why);
    uint64_t hash = siphash(self->key, bytes, self->row.len);
    struct entry *entry = find_slot(self, hash, bytes, self->row.len);
    if (entry->bytes)
        return ERR_OK;
    const char *kept = keep(self, bytes, self->row.len);
    if (!kept)
        return no_memory(self->count, self->memory_max, why);
    *entry = (struct entry){.hash = hash, .bytes = kept, .len = self->row.len};
    self->count++;
    *added = true;
    return ERR_OK;
}
