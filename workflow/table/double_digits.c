#include "table/double_digits.h"

#include <math.h>
#include <string.h>

#define FIVES           28 /* 5^0 .. 5^27 fit into 64 bits */
#define MANTISSA_BITS   52
#define EXPONENT_BIAS   1075 /* of a double seen as an integer of 53 bits x 2^exponent */
#define SHORTEST_MIN    1e-10
#define SHORTEST_MAX    9007199254740992.0 /* 2^53 */
#define SCALED_EXPONENT 16 /* values are scaled to 10^16 or a little more: two neighbours differ by > 1 */

typedef unsigned __int128 wide;

/* clang-format off */
static const uint64_t fives[FIVES] = {
    1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125, 6103515625,
    30517578125, 152587890625, 762939453125, 3814697265625, 19073486328125, 95367431640625, 476837158203125,
    2384185791015625, 11920928955078125, 59604644775390625, 298023223876953125, 1490116119384765625,
    7450580596923828125,
};
/* clang-format on */

/* A value and the ends of the interval in which every decimal reads back as it, all x 2^shift x 10^k. */
struct scaled {
    wide value;
    unsigned shift;
    uint64_t first, last; /* the whole numbers of the interval, not shifted */
};

/* floor(log10(2^exponent)), for every exponent of a double. */
static int tens_of(int exponent)
{
    return (int)((int64_t)exponent * 78913 >> 18);
}

/* value = mantissa x 2^exponent is scaled by 10^*k. The ends lie half way to the neighbours, and belong to the interval
 * when the mantissa is even, because ties are read as even; below a power of two the neighbours stand twice as close.
 */
static struct scaled scale(uint64_t mantissa, int exponent, int *k)
{
    *k = SCALED_EXPONENT - tens_of(exponent + MANTISSA_BITS);
    bool even = mantissa % 2 == 0, power_of_two = mantissa == (uint64_t)1 << MANTISSA_BITS;
    struct scaled out = {.value = (wide)(4 * mantissa) * fives[*k], .shift = (unsigned)(2 - exponent - *k)};
    wide half = (wide)2 * fives[*k], below = power_of_two ? half / 2 : half;
    wide low = out.value - below, high = out.value + half, part = ((wide)1 << out.shift) - 1;
    out.first = (uint64_t)(even ? (low + part) >> out.shift : (low >> out.shift) + 1);
    out.last = (uint64_t)((even ? high : high - 1) >> out.shift);
    return out;
}

/* The multiple of `unit` in the interval that is nearest to the value. */
static uint64_t nearest_multiple(const struct scaled *scaled, uint64_t unit)
{
    uint64_t down = (uint64_t)(scaled->value >> scaled->shift) / unit, up = down + 1;
    if (down * unit < scaled->first)
        return up;
    if (up * unit > scaled->last)
        return down;
    wide to_down = scaled->value - ((wide)(down * unit) << scaled->shift);
    wide to_up = ((wide)(up * unit) << scaled->shift) - scaled->value;
    if (to_down != to_up)
        return to_down < to_up ? down : up;
    return down % 2 == 0 ? down : up;
}

bool double_shortest(double value, uint64_t *digits, int *exponent)
{
    if (!(value >= SHORTEST_MIN && value < SHORTEST_MAX))
        return false;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t hidden = (uint64_t)1 << MANTISSA_BITS;
    int k, tens = 0;
    struct scaled scaled = scale((bits & (hidden - 1)) | hidden, (int)(bits >> MANTISSA_BITS) - EXPONENT_BIAS, &k);
    uint64_t unit = 1;
    while (scaled.last / (10 * unit) * (10 * unit) >= scaled.first) {
        unit *= 10;
        tens++;
    }
    *digits = nearest_multiple(&scaled, unit);
    *exponent = tens - k;
    return true;
}

/* Both numbers are shifted up to their top bits, so that the quotient has 63 or 64 bits: more than a double keeps, with
 * the lowest one telling whether anything came behind. Converting it rounds once. */
bool double_nearest(uint64_t digits, int exponent, double *out)
{
    if (exponent > 0 || exponent <= -FIVES || digits == 0)
        return false;
    int up = __builtin_clzll(digits), divisor_up = __builtin_clzll(fives[-exponent]);
    uint64_t divisor = fives[-exponent] << divisor_up;
    wide dividend = (wide)(digits << up) << 63;
    uint64_t quotient = (uint64_t)(dividend / divisor);
    quotient |= dividend % divisor != 0;
    *out = ldexp((double)quotient, divisor_up - up - 63 + exponent);
    return true;
}
