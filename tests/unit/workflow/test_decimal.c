#include "operations/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct decimal parse(const char *text)
{
    struct decimal out;
    if (!decimal_parse(text, strlen(text), &out))
        fail_msg("'%s' should be a number", text);
    return out;
}

static void what_is_a_number(void **state)
{
    (void)state;
    static const char *const numbers[] = {"1",
                                          " 8 ",
                                          "+5",
                                          ".5",
                                          "5.",
                                          "1e3",
                                          "1E+3",
                                          "-1e-3",
                                          "inf",
                                          "INF",
                                          "-inf",
                                          "Infinity",
                                          "00012",
                                          "0",
                                          "-0.0",
                                          "\t7\r\n",
                                          "1e99999999999999999999"};
    static const char *const others[] = {"",   " ",  "0x10", "1_000", "1,000", "abc",  "nan", ".",     "+", "-",
                                         "1e", "e3", "1e+",  "1.2.3", "1 2",   "infi", "++1", "1e3.5", "٣", "$5"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        parse(numbers[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct decimal out;
        if (decimal_parse(others[i], strlen(others[i]), &out))
            fail_msg("'%s' should not be a number", others[i]);
    }
}

/* Each is less than the next. */
static void order_is_exact(void **state)
{
    (void)state;
    static const char *const ordered[] = {
        "-inf",
        "-1e400",
        "-9007199254740993",
        "-9007199254740992",
        "-10",
        "-9.99",
        "-1e-400",
        "0",
        "1e-400",
        "0.1",
        "0.10000000000000000000000001",
        "0.1000000000000000055",
        "0.9",
        "1.5",
        "9.99",
        "10",
        "123",
        "123.0001",
        "9007199254740992",
        "9007199254740993",
        "12345678901234567890123",
        "12345678901234567890124",
        "1e400",
        "inf",
    };
    size_t count = sizeof ordered / sizeof *ordered;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct decimal a = parse(ordered[i]), b = parse(ordered[j]);
            int order = decimal_compare(&a, &b);
            if ((order < 0) != (i < j) || (order > 0) != (i > j))
                fail_msg("compare(%s, %s) = %d", ordered[i], ordered[j], order);
        }
    }
}

static void spelling_does_not_matter(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"5", "5.000"},    {"5", "0005."},       {"0.5", ".5"},       {"100", "1e2"},
        {"0.001", "1e-3"}, {"0", "-0.00e9"},     {"120", "1.2e2"},    {"1200e-1", "120"},
        {"+7", "7"},       {"inf", "+Infinity"}, {"0.0012", "12e-4"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        struct decimal a = parse(pairs[i][0]), b = parse(pairs[i][1]);
        if (decimal_compare(&a, &b) != 0 || decimal_compare(&b, &a) != 0)
            fail_msg("%s and %s are the same number", pairs[i][0], pairs[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_number),
        cmocka_unit_test(order_is_exact),
        cmocka_unit_test(spelling_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
