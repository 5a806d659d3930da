#include "chance.h"

#include <string.h>

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void chance_init(struct chance *self, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        self->state[i] = splitmix(&seed);
}

uint64_t chance_u64(struct chance *self)
{
    uint64_t *s = self->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint32_t chance_below(struct chance *self, uint32_t limit)
{
    return (uint32_t)((chance_u64(self) >> 32) * limit >> 32);
}

int64_t chance_between(struct chance *self, int64_t least, int64_t most)
{
    return least + chance_below(self, (uint32_t)(most - least + 1));
}

bool chance_hit(struct chance *self, uint32_t of_1000)
{
    return of_1000 > 0 && chance_below(self, 1000) < of_1000;
}

void chance_fill(struct chance *self, void *out, size_t len)
{
    for (size_t at = 0; at < len; at += 8) {
        uint64_t value = chance_u64(self);
        memcpy((char *)out + at, &value, len - at < 8 ? len - at : 8);
    }
}
