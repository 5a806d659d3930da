#include "table/number_text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_repr(double value, const char *expected)
{
    char out[CELL_NUMBER_MAX];
    size_t len = number_repr(value, out);
    if (len != strlen(expected) || memcmp(out, expected, len) != 0)
        fail_msg("repr: expected %s, got %.*s", expected, (int)len, out);
}

static void reals_print_as_pythons_repr(void **state)
{
    (void)state;
    check_repr(0.0, "0.0");
    check_repr(-0.0, "-0.0");
    check_repr(2.0, "2.0");
    check_repr(-7.0, "-7.0");
    check_repr(0.1, "0.1");
    check_repr(0.1 + 0.2, "0.30000000000000004");
    check_repr(1.005, "1.005");
    check_repr(1e-07, "1e-07");
    check_repr(2.5e-05, "2.5e-05");
    check_repr(0.0001, "0.0001");
    check_repr(0.00012345, "0.00012345");
    check_repr(1e15, "1000000000000000.0");
    check_repr(123456789012345680.0, "1.2345678901234568e+17");
    check_repr(1e16, "1e+16");
    check_repr(9999999999999998.0, "9999999999999998.0");
    check_repr(1.5e300, "1.5e+300");
    check_repr(5e-324, "5e-324");
    check_repr(1.7976931348623157e308, "1.7976931348623157e+308");
    check_repr(-2.2250738585072014e-308, "-2.2250738585072014e-308");
    check_repr(1234567.891, "1234567.891");
    check_repr(99.95, "99.95");
    check_repr(100.05, "100.05");
    check_repr(1e22, "1e+22");
    check_repr(HUGE_VAL, "inf");
    check_repr(-HUGE_VAL, "-inf");
    check_repr(nan(""), "nan");
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Random doubles of every size, and random prices: what is printed reads back as the same double, also by libc. */
static void every_repr_reads_back(void **state)
{
    (void)state;
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 100000; round++) {
        uint64_t bits = next_random(&seed);
        double value;
        memcpy(&value, &bits, sizeof value);
        if (round % 2 == 0)
            value = (double)(int64_t)(bits >> 30) / pow(10, (int)(bits % 12));
        if (!isfinite(value))
            continue;
        char out[CELL_NUMBER_MAX];
        size_t len = number_repr(value, out);
        assert_true(len < sizeof out);
        out[len] = '\0';
        double back, libc = strtod(out, NULL);
        assert_true(number_parse(out, len, &back));
        if (memcmp(&back, &value, sizeof back) != 0 || memcmp(&libc, &value, sizeof back) != 0)
            fail_msg("%.17g printed as %s", value, out);
    }
}

static void check_sheet(const char *text, const char *expected)
{
    char out[NUMBER_DIGITS_MAX];
    size_t len = 0;
    if (!number_from_sheet(text, strlen(text), out, &len)) {
        if (expected)
            fail_msg("'%s' is a number", text);
        return;
    }
    if (!expected || len != strlen(expected) || memcmp(out, expected, len) != 0)
        fail_msg("'%s' became %.*s", text, (int)len, out);
}

static void sheet_numbers_become_text_as_the_contract_says(void **state)
{
    (void)state;
    check_sheet("2", "2");
    check_sheet("2.0", "2");
    check_sheet("-3.00", "-3");
    check_sheet("1E+20", "100000000000000000000");
    check_sheet("1E+23", "100000000000000000000000");
    check_sheet("12345678901234567890", "12345678901234567890");
    check_sheet("1.2345678901234567E+20", "123456789012345670000");
    check_sheet("0.1", "0.1");
    check_sheet("0.10000000000000001", "0.1");
    check_sheet("1E-7", "1e-07");
    check_sheet("2.5e-05", "2.5e-05");
    check_sheet("007", "7");
    check_sheet("-0", "0");
    check_sheet("-0.0", "0");
    check_sheet("1e3", "1000");
    check_sheet(" 5 ", "5");
    check_sheet("9007199254740993", "9007199254740993");
    check_sheet("9007199254740993.0", "9007199254740992");
    check_sheet("-1E+16", "-10000000000000000");
    check_sheet("1.7976931348623157E+308", "17976931348623157" /* and 292 zeros */
                                           "0000000000000000000000000000000000000000000000000000000000000000000000000"
                                           "0000000000000000000000000000000000000000000000000000000000000000000000000"
                                           "0000000000000000000000000000000000000000000000000000000000000000000000000"
                                           "0000000000000000000000000000000000000000000000000000000000000000000000000");
    static const char *const wrong[] = {"",    "abc", "1e999", "inf", "nan", "0x10", "1,000",
                                        "1 2", "-",   ".",     "e5",  "1e",  "1e+"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        check_sheet(wrong[i], NULL);
    char many[400];
    memset(many, '9', sizeof many);
    char out[NUMBER_DIGITS_MAX];
    size_t len;
    assert_false(number_from_sheet(many, sizeof many, out, &len));
}

static void check_parse(const char *text, double expected)
{
    double value = 12345;
    if (!number_parse(text, strlen(text), &value))
        fail_msg("'%s' is a number", text);
    if (memcmp(&value, &expected, sizeof value) != 0)
        fail_msg("'%s' was read as %.17g", text, value);
}

static void condition_numbers_are_told_from_texts(void **state)
{
    (void)state;
    check_parse(" 8 ", 8);
    check_parse("\t8\n", 8);
    check_parse("+5", 5);
    check_parse("-5", -5);
    check_parse(".5", .5);
    check_parse("5.", 5);
    check_parse("1e3", 1000);
    check_parse("1E+3", 1000);
    check_parse("1e-3", .001);
    check_parse("00012", 12);
    check_parse("inf", HUGE_VAL);
    check_parse("-Infinity", -HUGE_VAL);
    check_parse("1e400", HUGE_VAL);
    check_parse("1e-400", 0);
    check_parse("0e999999999999", 0);
    check_parse("123456789012345678901234567890", 123456789012345678901234567890.0);
    check_parse("0.000000000000000000000000000001", 1e-30);
    check_parse("9007199254740993", 9007199254740992.0);
    check_parse("18446744073709551616", 18446744073709551616.0);
    static const char *const wrong[] = {"0x10", "1_000",   "1,000", "abc",   "",     " ", "1e",
                                        "1e+",  "--1",     "+-1",   "1.2.3", ".",    "+", "nan",
                                        "in",   "infinit", "1 000", "1e5.5", "1e5x", "٣"};
    double value;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (number_parse(wrong[i], strlen(wrong[i]), &value))
            fail_msg("'%s' was taken for a number", wrong[i]);
}

/* 2^53 + 1 lies exactly between two doubles; a nonzero digit far behind decides upwards. */
static void a_very_long_number_is_still_rounded_right(void **state)
{
    (void)state;
    char text[3000] = "9007199254740993.";
    size_t len = strlen(text);
    memset(text + len, '0', sizeof text - len);
    double value;
    assert_true(number_parse(text, sizeof text, &value));
    assert_true(value == 9007199254740992.0);
    text[sizeof text - 1] = '1';
    assert_true(number_parse(text, sizeof text, &value));
    assert_true(value == 9007199254740994.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reals_print_as_pythons_repr),
        cmocka_unit_test(every_repr_reads_back),
        cmocka_unit_test(sheet_numbers_become_text_as_the_contract_says),
        cmocka_unit_test(condition_numbers_are_told_from_texts),
        cmocka_unit_test(a_very_long_number_is_still_rounded_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
