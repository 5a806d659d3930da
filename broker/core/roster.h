/* roster - the workers as the broker sees them: their slots, their credit and when they were heard last. */
#ifndef ROSTER_H
#define ROSTER_H

#include "core/state.h"

struct worker {
    char id[ID_HEX_LEN + 1];
    struct peer peer;
    uint32_t slots;
    uint32_t free_slots; /* its credit: what it said, minus what was sent since */
    uint32_t leased;     /* jobs it has */
    bool draining;       /* it said BYE: no new jobs, and what it drops does not count as an attempt */
    int64_t heard_ms;
};

struct worker *roster_find(const struct core *core, const char *id);
struct worker *roster_add(struct core *core, const char *id); /* NULL after core_fail() */
void roster_remove(struct core *core, struct worker *self);
/* The one with most free slots among those heard in the last three beats; NULL = none. */
struct worker *roster_pick(const struct core *core);

#endif
