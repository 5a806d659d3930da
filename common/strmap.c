/* Open addressing with linear probing over pointers to entries. A removed entry leaves a mark, so that nothing moves
 * while somebody walks; marks vanish when the table is built anew, which only strmap_put() does. */
#include "strmap.h"

#include "id.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16 /* a power of two */

struct entry {
    uint64_t hash;
    void *value;
    size_t len;
    unsigned char key[];
};

struct strmap {
    uint8_t secret[16];
    struct entry **slots; /* NULL: never used; REMOVED: used once */
    size_t slot_count;    /* a power of two */
    size_t count;
    size_t used; /* entries and marks: kept under a half: every probe ends at a NULL, and soon */
};

static struct entry removed_entry;
#define REMOVED (&removed_entry)

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t little_endian(const unsigned char *at, size_t len)
{
    uint64_t value = 0;
    memcpy(&value, at, len);
    return le64toh(value);
}

static void sip_rounds(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

/* SipHash with so many rounds for a word and so many at the end; inline, so that these are constants. */
static inline uint64_t sip(const uint8_t key[16], const void *bytes, size_t len, int word_rounds, int last_rounds)
{
    const unsigned char *at = bytes;
    uint64_t k0 = little_endian(key, 8), k1 = little_endian(key + 8, 8);
    uint64_t v[4] = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
                     k1 ^ 0x7465646279746573u};
    size_t whole = len / 8 * 8;
    for (size_t i = 0; i <= whole; i += 8) {
        uint64_t word = i < whole ? little_endian(at + i, 8) : (uint64_t)len << 56;
        if (i == whole && len > whole)
            word |= little_endian(at + whole, len - whole);
        v[3] ^= word;
        sip_rounds(v, word_rounds);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    sip_rounds(v, last_rounds);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t len)
{
    return sip(key, bytes, len, 2, 4);
}

/* What tables need is less than a signature's worth: nobody sees a hash. */
static uint64_t hash_of(const struct strmap *self, const void *key, size_t len)
{
    return sip(self->secret, key, len, 1, 3);
}

enum err strmap_new(struct strmap **out)
{
    *out = NULL;
    struct strmap *self = calloc(1, sizeof *self);
    if (!self)
        return ERR_MEMORY;
    self->slots = calloc(FIRST_SLOTS, sizeof *self->slots);
    if (!self->slots) {
        free(self);
        return ERR_MEMORY;
    }
    self->slot_count = FIRST_SLOTS;
    id_random(self->secret, sizeof self->secret);
    *out = self;
    return ERR_OK;
}

void strmap_destroy(struct strmap **self_p)
{
    struct strmap *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->slot_count; i++)
        if (self->slots[i] != REMOVED)
            free(self->slots[i]);
    free(self->slots);
    free(self);
}

static bool entry_is(const struct entry *entry, uint64_t hash, const void *key, size_t len)
{
    return entry->hash == hash && entry->len == len && (len == 0 || memcmp(entry->key, key, len) == 0);
}

/* The slot that holds the key, or NULL. */
static struct entry **find(const struct strmap *self, uint64_t hash, const void *key, size_t len)
{
    size_t mask = self->slot_count - 1;
    for (size_t i = hash & mask; self->slots[i]; i = (i + 1) & mask)
        if (self->slots[i] != REMOVED && entry_is(self->slots[i], hash, key, len))
            return &self->slots[i];
    return NULL;
}

static struct entry **free_slot(struct entry **slots, size_t slot_count, uint64_t hash)
{
    size_t i = hash & (slot_count - 1);
    while (slots[i])
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

/* A table without marks, at most a quarter full after one more entry. */
static enum err rebuild(struct strmap *self)
{
    size_t slot_count = FIRST_SLOTS;
    while (slot_count < 4 * (self->count + 1))
        slot_count *= 2;
    struct entry **slots = calloc(slot_count, sizeof *slots);
    if (!slots)
        return ERR_MEMORY;
    for (size_t i = 0; i < self->slot_count; i++)
        if (self->slots[i] && self->slots[i] != REMOVED)
            *free_slot(slots, slot_count, self->slots[i]->hash) = self->slots[i];
    free(self->slots);
    self->slots = slots;
    self->slot_count = slot_count;
    self->used = self->count;
    return ERR_OK;
}

static enum err add(struct strmap *self, uint64_t hash, const void *key, size_t len, void ***place)
{
    if ((self->used + 1) * 2 > self->slot_count) {
        enum err err = rebuild(self);
        if (err != ERR_OK)
            return err;
    }
    struct entry *entry = malloc(sizeof *entry + len);
    if (!entry)
        return ERR_MEMORY;
    entry->hash = hash;
    entry->value = NULL;
    entry->len = len;
    if (len > 0)
        memcpy(entry->key, key, len);
    *free_slot(self->slots, self->slot_count, hash) = entry;
    self->count++;
    self->used++;
    *place = &entry->value;
    return ERR_OK;
}

enum err strmap_place(struct strmap *self, const void *key, size_t len, void ***place)
{
    uint64_t hash = hash_of(self, key, len);
    struct entry **slot = find(self, hash, key, len);
    if (!slot)
        return add(self, hash, key, len, place);
    *place = &(*slot)->value;
    return ERR_OK;
}

enum err strmap_put(struct strmap *self, const void *key, size_t len, void *value, void **old)
{
    void **place, *former = NULL;
    enum err err = strmap_place(self, key, len, &place);
    if (err == ERR_OK) {
        former = *place;
        *place = value;
    }
    if (old)
        *old = former;
    return err;
}

void *strmap_get(const struct strmap *self, const void *key, size_t len)
{
    struct entry **slot = find(self, hash_of(self, key, len), key, len);
    return slot ? (*slot)->value : NULL;
}

static void remove_at(struct strmap *self, struct entry **slot)
{
    free(*slot);
    *slot = REMOVED;
    self->count--;
}

void *strmap_take(struct strmap *self, const void *key, size_t len)
{
    struct entry **slot = find(self, hash_of(self, key, len), key, len);
    if (!slot)
        return NULL;
    void *value = (*slot)->value;
    remove_at(self, slot);
    return value;
}

void strmap_drop(struct strmap *self, const void *key, size_t len, const void *value)
{
    struct entry **slot = find(self, hash_of(self, key, len), key, len);
    if (slot && (*slot)->value == value)
        remove_at(self, slot);
}

size_t strmap_count(const struct strmap *self)
{
    return self->count;
}

bool strmap_next(const struct strmap *self, size_t *cursor, const void **key, size_t *len, void **value)
{
    while (*cursor < self->slot_count) {
        const struct entry *entry = self->slots[(*cursor)++];
        if (!entry || entry == REMOVED)
            continue;
        if (key)
            *key = entry->key;
        if (len)
            *len = entry->len;
        if (value)
            *value = entry->value;
        return true;
    }
    return false;
}
