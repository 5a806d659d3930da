#include "operations/fingerprints.h"

#include "id.h"
#include "strmap.h"

#include <stdlib.h>

#define FIRST_SLOTS 64                  /* a power of two */
#define NUMBER_MARK 0x9e3779b97f4a7c15u /* tells a number from a text of the same bytes */
#define TRUTH_MARK  0x7f4a7c159e3779b9u

void fingerprints_init(struct fingerprints *self, struct allowance *allowance)
{
    *self = (struct fingerprints){.allowance = allowance};
    id_random(self->key, sizeof self->key);
}

void fingerprints_fini(struct fingerprints *self)
{
    if (self->slot)
        allowance_give_back(self->allowance, self->slots * sizeof *self->slot);
    free(self->slot);
    self->slot = NULL;
    self->slots = 0;
}

static uint64_t hash_real(const struct fingerprints *self, double value)
{
    return siphash(self->key, &value, sizeof value) ^ NUMBER_MARK;
}

static uint64_t fingerprint(const struct fingerprints *self, const struct cell *cell)
{
    uint64_t hash = 0;
    switch (cell->kind) {
    case CELL_EMPTY:
    case CELL_ERROR: hash = siphash(self->key, "", 0); break;
    case CELL_TEXT: hash = siphash(self->key, cell->is.text, cell->len); break;
    case CELL_REAL: hash = hash_real(self, cell->is.real); break;
    case CELL_TRUTH: hash = cell->is.truth ? TRUTH_MARK : ~TRUTH_MARK; break;
    case CELL_INTEGER:
        if (cell->is.integer > -(1LL << 53) && cell->is.integer < (1LL << 53))
            hash = hash_real(self, (double)cell->is.integer);
        else
            hash = siphash(self->key, &cell->is.integer, sizeof cell->is.integer) ^ NUMBER_MARK;
        break;
    }
    return hash == 0 ? 1 : hash;
}

/* false: it was there already. */
static bool put(uint64_t *slot, size_t slots, uint64_t hash)
{
    size_t mask = slots - 1;
    size_t i = hash & mask;
    while (slot[i] != 0 && slot[i] != hash)
        i = (i + 1) & mask;
    bool fresh = slot[i] == 0;
    slot[i] = hash;
    return fresh;
}

static bool grow(struct fingerprints *self)
{
    size_t slots = self->slots ? self->slots * 2 : FIRST_SLOTS;
    if (!allowance_take(self->allowance, slots * sizeof *self->slot))
        return false;
    uint64_t *slot = calloc(slots, sizeof *slot);
    if (!slot) {
        allowance_give_back(self->allowance, slots * sizeof *slot);
        return false;
    }
    for (size_t i = 0; i < self->slots; i++)
        if (self->slot[i] != 0)
            put(slot, slots, self->slot[i]);
    fingerprints_fini(self);
    self->slot = slot;
    self->slots = slots;
    return true;
}

static void put_waiting(struct fingerprints *self)
{
    if (self->waiting_count == 0 || self->unknown)
        return;
    if ((self->count + self->waiting_count) * 4 > self->slots * 3 && !grow(self)) {
        self->unknown = true;
        fingerprints_fini(self);
    }
    for (size_t i = 0; i < self->waiting_count && !self->unknown; i++)
        self->count += put(self->slot, self->slots, self->waiting[i]);
    self->waiting_count = 0;
}

void fingerprints_add(struct fingerprints *self, const struct cell *cell)
{
    if (self->unknown)
        return;
    uint64_t hash = fingerprint(self, cell);
    if (self->slot)
        __builtin_prefetch(&self->slot[hash & (self->slots - 1)], 1);
    self->waiting[self->waiting_count++] = hash;
    if (self->waiting_count == FINGERPRINTS_WAITING_MAX)
        put_waiting(self);
}

int64_t fingerprints_count(struct fingerprints *self)
{
    put_waiting(self);
    return self->unknown ? -1 : (int64_t)self->count;
}
