#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void a_time_is_written_to_the_microsecond(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_int_equal(clock_rfc3339(1763833162721654, text), 27);
    assert_string_equal(text, "2025-11-22T17:39:22.721654Z");
    clock_rfc3339(951782400000001, text);
    assert_string_equal(text, "2000-02-29T00:00:00.000001Z");
    assert_int_equal(clock_iso_naive(0, text), 26);
    assert_string_equal(text, "1970-01-01T00:00:00.000000");
    clock_rfc3339(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void a_local_time_carries_its_offset(void **state)
{
    (void)state;
    static const struct {
        const char *zone, *text;
    } wanted[] = {
        {"IST-5:30", "2025-11-22T23:09:22.721654+05:30"},
        {"NST3:30", "2025-11-22T14:09:22.721654-03:30"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", "2025-11-22T18:39:22.721654+01:00"},
        {"LINT-14", "2025-11-23T07:39:22.721654+14:00"},
        {"UTC0", "2025-11-22T17:39:22.721654+00:00"},
    };
    char text[CLOCK_TEXT_MAX];
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        setenv("TZ", wanted[i].zone, 1);
        tzset();
        assert_int_equal(clock_rfc3339_local(1763833162721654, text), 32);
        assert_string_equal(text, wanted[i].text);
    }
}

static void years_stay_within_four_digits(void **state)
{
    (void)state;
    char text[CLOCK_TEXT_MAX];
    assert_int_equal(clock_rfc3339(INT64_MAX, text), 27);
    assert_memory_equal(text, "9999-", 5);
    assert_int_equal(clock_rfc3339_local(INT64_MIN, text), 32);
    assert_memory_equal(text, "0000-", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_written_to_the_microsecond),
        cmocka_unit_test(a_local_time_carries_its_offset),
        cmocka_unit_test(years_stay_within_four_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
