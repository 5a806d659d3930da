/* fingerprints - counts different cells by 8-byte hashes under a random key: for statistics, which need no more.
 *
 * With 10 million different cells the count is one too low in about one run of 370,000. A text and a number are
 * different; an integer and a real of the same value are not. Memory comes out of the allowance: when that is used up,
 * the count is unknown from then on and everything is given back. Used by one thread. */
#ifndef FINGERPRINTS_H
#define FINGERPRINTS_H

#include "operations/allowance.h"
#include "table/cell.h"

#define FINGERPRINTS_WAITING_MAX 32

struct fingerprints {
    struct allowance *allowance; /* borrowed */
    uint8_t key[16];
    uint64_t *slot; /* 0 = free */
    size_t slots, count;
    /* The set is far larger than the processor's caches: a fingerprint's place is fetched when it comes and looked at
     * when others have come, so that many fetches go on at once. */
    uint64_t waiting[FINGERPRINTS_WAITING_MAX];
    size_t waiting_count;
    bool unknown;
};

void fingerprints_init(struct fingerprints *self, struct allowance *allowance);
void fingerprints_fini(struct fingerprints *self);
void fingerprints_add(struct fingerprints *self, const struct cell *cell);
/* How many different ones were added; -1 = unknown. */
int64_t fingerprints_count(struct fingerprints *self);

#endif
