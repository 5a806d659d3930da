/* chance - the only source of randomness of a simulation: one seed gives one history (xoshiro256**, Blackman and Vigna,
 * 2018, seeded by splitmix64). */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state[4];
};

void chance_init(struct chance *self, uint64_t seed);
uint64_t chance_u64(struct chance *self);
uint32_t chance_below(struct chance *self, uint32_t limit); /* 0 .. limit - 1 */
int64_t chance_between(struct chance *self, int64_t least, int64_t most);
bool chance_hit(struct chance *self, uint32_t of_1000); /* true in so many of 1,000 cases */
void chance_fill(struct chance *self, void *out, size_t len);

#endif
