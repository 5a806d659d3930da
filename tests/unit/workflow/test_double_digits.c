#include "table/double_digits.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double libc_value(uint64_t digits, int exponent)
{
    char text[64];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
    return strtod(text, NULL);
}

static void check_shortest(double value, uint64_t expected, int expected_exponent)
{
    uint64_t digits;
    int exponent;
    assert_true(double_shortest(value, &digits, &exponent));
    if (digits != expected || exponent != expected_exponent)
        fail_msg("%.17g: expected %" PRIu64 "e%d, got %" PRIu64 "e%d", value, expected, expected_exponent, digits,
                 exponent);
}

static void known_values_have_the_digits_python_prints(void **state)
{
    (void)state;
    check_shortest(0.1, 1, -1);
    check_shortest(0.1 + 0.2, 30000000000000004, -17);
    check_shortest(100, 1, 2);
    check_shortest(1e-10, 1, -10);
    check_shortest(5234.12, 523412, -2);
    check_shortest(9007199254740991.0, 9007199254740991, 0);
    check_shortest(2251799813685249.5, 22517998136852495, -1);
    check_shortest(0.9097040631431023, 9097040631431023, -16);
    check_shortest(9.5367431640625e-07, 95367431640625, -20);
    /* Powers of two: the neighbour below is nearer, so fewer digits may do than printf finds, and the lower end of the
     * interval is not as far away as the upper one. */
    check_shortest(ldexp(1, -24), 5960464477539063, -23);
    check_shortest(ldexp(1, -30), 9313225746154785, -25);
    check_shortest(ldexp(1, 50), 1125899906842624, 0);
}

static void values_out_of_reach_are_left_to_others(void **state)
{
    (void)state;
    uint64_t digits;
    int exponent;
    static const double outside[] = {0.0, -1.0, 9.999999999999999e-11, 9007199254740992.0, 1e300, 5e-324, HUGE_VAL};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        assert_false(double_shortest(outside[i], &digits, &exponent));
    assert_false(double_shortest(nan(""), &digits, &exponent));
    double value;
    assert_false(double_nearest(0, 0, &value));
    assert_false(double_nearest(1, 1, &value));
    assert_false(double_nearest(1, -28, &value));
}

/* printf's digits, with one more at a time until they read back: no fewer are enough, and none of that length is
 * nearer. A power of two may do with one digit less, which must then read back. */
static void check_against_libc(double value)
{
    uint64_t digits;
    int exponent, precision = 0;
    char text[64];
    assert_true(double_shortest(value, &digits, &exponent));
    do
        snprintf(text, sizeof text, "%.*e", precision, value);
    while (strtod(text, NULL) != value && ++precision < 17);
    char found[64];
    int count = snprintf(found, sizeof found, "%" PRIu64, digits);
    if (libc_value(digits, exponent) != value || count > precision + 1 || digits % 10 == 0)
        fail_msg("%.17g: %" PRIu64 "e%d", value, digits, exponent);
    if (count < precision + 1 && (bits_of(value) & (((uint64_t)1 << 52) - 1)) != 0)
        fail_msg("%.17g: %" PRIu64 "e%d is shorter than %s", value, digits, exponent, text);
    snprintf(found, sizeof found, "%.*e", count - 1, libc_value(digits, exponent));
    if (count == precision + 1 && strcmp(found, text) != 0)
        fail_msg("%.17g: %" PRIu64 "e%d is not as near as %s", value, digits, exponent, text);
}

#define LOW_BITS  0x3DDB7CDFD9D7BDBBu /* 1e-10 */
#define HIGH_BITS 0x4340000000000000u /* 2^53 */

static void digits_are_those_libc_finds(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 60000; round++) {
        double value = double_of(LOW_BITS + next_random(&seed) % (HIGH_BITS - LOW_BITS));
        if (round % 3 == 1)
            value = (double)(1 + next_random(&seed) % 1000000000) / pow(10, (double)(round % 10));
        check_against_libc(value);
    }
    for (int exponent = -33; exponent < 53; exponent++) {
        double power = ldexp(1, exponent);
        check_against_libc(power);
        check_against_libc(nextafter(power, 0));
        check_against_libc(nextafter(power, HUGE_VAL));
    }
    check_against_libc(double_of(LOW_BITS));
    check_against_libc(double_of(HIGH_BITS - 1));
}

static void check_nearest(uint64_t digits, int exponent)
{
    double value = -1;
    assert_true(double_nearest(digits, exponent, &value));
    double expected = libc_value(digits, exponent);
    if (bits_of(value) != bits_of(expected))
        fail_msg("%" PRIu64 "e%d: expected %.17g, got %.17g", digits, exponent, expected, value);
}

static void decimals_become_the_nearest_double(void **state)
{
    (void)state;
    uint64_t seed = 1181783497276652981u;
    for (int round = 0; round < 200000; round++)
        check_nearest(1 + next_random(&seed) % (UINT64_MAX >> round % 60), -(round % 28));
    check_nearest(UINT64_MAX, 0);
    check_nearest(UINT64_MAX, -27);
    check_nearest(1, 0);
    check_nearest(1, -27);
}

/* Half way between two doubles, and one digit to either side of it. */
static void ties_go_to_the_even_double(void **state)
{
    (void)state;
    uint64_t seed = 2685821657736338717u;
    check_nearest(9007199254740993, 0);
    check_nearest(9007199254740995, 0);
    for (int round = 0; round < 20000; round++) {
        uint64_t middle = (next_random(&seed) >> 11 | (uint64_t)1 << 52) * 2 + 1, five = 1;
        int k = round % 5;
        for (int i = 0; i < k; i++)
            five *= 5;
        if (middle > UINT64_MAX / five)
            continue;
        for (int aside = -1; aside <= 1; aside++) /* middle / 2^k exactly, and its neighbours */
            check_nearest(middle * five + (uint64_t)aside, -k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_values_have_the_digits_python_prints),
        cmocka_unit_test(values_out_of_reach_are_left_to_others),
        cmocka_unit_test(digits_are_those_libc_finds),
        cmocka_unit_test(decimals_become_the_nearest_double),
        cmocka_unit_test(ties_go_to_the_even_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
