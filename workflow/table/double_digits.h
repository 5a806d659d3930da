/* double_digits - decimal digits to doubles and back, exactly, for the numbers that tables are full of.
 *
 * Both directions compute in 128-bit integers without rounding on the way, so there is nothing to estimate and no table
 * beyond the powers of five that fit into 64 bits. That covers 1e-10 to 2^53 and up to 19 digits with up to 27 of them
 * behind the point; for anything else they return false, and libc's slow ways are right. Pure functions. */
#ifndef DOUBLE_DIGITS_H
#define DOUBLE_DIGITS_H

#include <stdbool.h>
#include <stdint.h>

/* The shortest decimal that reads back as `value` (> 0), of those the nearest one: *digits x 10^*exponent, without
 * trailing zeros. What Python's repr() prints. */
bool double_shortest(double value, uint64_t *digits, int *exponent);

/* The double nearest to digits x 10^exponent, ties to even. */
bool double_nearest(uint64_t digits, int exponent, double *out);

#endif
