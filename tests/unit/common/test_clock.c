#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_time_is_written_to_the_microsecond(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_int_equal(clock_rfc3339(1763833162721654, text), 27);
    assert_string_equal(text, "2025-11-22T17:39:22.721654Z");
    clock_rfc3339_offset(951782400000001, text);
    assert_string_equal(text, "2000-02-29T00:00:00.000001+00:00");
    assert_int_equal(clock_iso_naive(0, text), 26);
    assert_string_equal(text, "1970-01-01T00:00:00.000000");
    clock_rfc3339(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void years_stay_within_four_digits(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_int_equal(clock_rfc3339(INT64_MAX, text), 27);
    assert_memory_equal(text, "9999-", 5);
    assert_int_equal(clock_rfc3339_offset(INT64_MIN, text), 32);
    assert_memory_equal(text, "0000-", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_to_the_microsecond),
        cmocka_unit_test(years_stay_within_four_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
