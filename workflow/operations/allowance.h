/* allowance - the bytes an operation may still remember, shared by everything it remembers with. Used by one thread. */
#ifndef ALLOWANCE_H
#define ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct allowance {
    uint64_t used, max; /* max 0 = no limit */
};

/* false: they would be too many; nothing is taken. */
static inline bool allowance_take(struct allowance *self, uint64_t bytes)
{
    if (self->max != 0 && (bytes > self->max || self->used > self->max - bytes))
        return false;
    self->used += bytes;
    return true;
}

static inline void allowance_give_back(struct allowance *self, uint64_t bytes)
{
    self->used -= bytes;
}

/* What is left, as a limit of its own (0 = no limit, so never 0 when there is one). */
static inline uint64_t allowance_rest(const struct allowance *self)
{
    return self->max == 0 ? 0 : self->used < self->max ? self->max - self->used : 1;
}

#endif
