/* The expected texts are what strftime() makes in the C locale. */
#include "operations/normalize/date_print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void check(const char *date, const char *format, const char *expected)
{
    struct buf got = BUF_INIT(1024);
    struct date_parts parts;
    int64_t us;
    assert_true(date_parse_as_written(date, strlen(date), &us));
    date_split(us, &parts);
    assert_int_equal(date_print(&got, &parts, format, strlen(format)), ERR_OK);
    assert_string_equal(buf_text(&got), expected);
    buf_fini(&got);
}

static void every_directive_prints_its_part(void **state)
{
    (void)state;
    static const char date[] = "2024-03-05 15:04:09.012345";
    check(date, "%Y %C %y %m %d %e %j", "2024 20 24 03 05  5 065");
    check(date, "%H %I %M %S %f %p", "15 03 04 09 012345 PM");
    check(date, "%k|%l|%P|%g", "15| 3|pm|24");
    check(date, "%a %A %b %h %B %u %w", "Tue Tuesday Mar Mar March 2 2");
    check(date, "%U %W %V %G", "09 10 10 2024");
    check(date, "%D|%F|%T|%R|%r", "03/05/24|2024-03-05|15:04:09|15:04|03:04:09 PM");
    check(date, "%c|%x|%X|%n%t%%", "Tue Mar  5 15:04:09 2024|03/05/24|15:04:09|\n\t%");
    check(date, "%-d.%-m. %-I%-p[%z%Z]", "5.3. 3PM[]");
}

static void what_is_unknown_stays(void **state)
{
    (void)state;
    check("2024-03-05", "%Q %", "%Q %");
    check("2024-03-05", "%-", "%-");
    check("2024-03-05", "%-Q é", "%-Q é");
    check("2024-03-05", "", "");
}

static void weeks_at_the_ends_of_years(void **state)
{
    (void)state;
    check("2021-01-03", "%G-%V %U %W", "2020-53 01 00");
    check("2024-12-30", "%G-%V %U %W", "2025-01 52 53");
    check("2023-01-01", "%G-%V %U %W", "2022-52 01 00");
    check("2026-12-31", "%G-%V %j", "2026-53 365");
}

static void midnight_and_noon_are_twelve(void **state)
{
    (void)state;
    check("2024-03-05 00:30", "%I %p", "12 AM");
    check("2024-03-05 12:30", "%I %p", "12 PM");
}

static void what_does_not_fit_is_full(void **state)
{
    (void)state;
    struct buf got = BUF_INIT(4);
    const struct date_parts date = {.year = 2024, .month = 1, .day = 1, .day_of_year = 1};
    assert_int_equal(date_print(&got, &date, "%Y-%m", 5), ERR_FULL);
    buf_fini(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_directive_prints_its_part), cmocka_unit_test(what_is_unknown_stays),
        cmocka_unit_test(weeks_at_the_ends_of_years),      cmocka_unit_test(midnight_and_noon_are_twelve),
        cmocka_unit_test(what_does_not_fit_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
