#include "table/date_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define US  1000000LL
#define DAY (86400 * US)

static void check_serial(double serial, bool date1904, const char *expected)
{
    char out[DATE_TEXT_MAX];
    size_t len = date_from_serial(serial, date1904, out);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(out, expected, len);
}

static void serials_print_as_the_contract_says(void **state)
{
    (void)state;
    check_serial(1, false, "1900-01-01 00:00:00");
    check_serial(1.5, false, "1900-01-01 12:00:00");
    check_serial(59, false, "1900-02-28 00:00:00");
    check_serial(60, false, "1900-02-28 00:00:00");
    check_serial(61, false, "1900-03-01 00:00:00");
    check_serial(45306, false, "2024-01-15 00:00:00");
    check_serial(45306.75, false, "2024-01-15 18:00:00");
    check_serial(45306.123456, false, "2024-01-15 02:57:46.598000");
    check_serial(45351, false, "2024-02-29 00:00:00");
    check_serial(2958465, false, "9999-12-31 00:00:00");
    check_serial(2958465.9999999999, false, "");
    check_serial(2958466, false, "");
    check_serial(0, true, "00:00:00");
    check_serial(1, true, "1904-01-02 00:00:00");
    check_serial(43844, true, "2024-01-15 00:00:00");
}

static void a_serial_below_one_is_a_time(void **state)
{
    (void)state;
    check_serial(0, false, "00:00:00");
    check_serial(0.5, false, "12:00:00");
    check_serial(0.25 + 0.001 / 86400, false, "06:00:00.001000");
    check_serial(0.9999999999, false, "1900-01-01 00:00:00");
}

static void serials_out_of_range_print_nothing(void **state)
{
    (void)state;
    check_serial(1e300, false, "");
    check_serial(-1e300, false, "");
    check_serial(0.0 / 0.0, false, "");
    check_serial(-693594, false, "");
}

static void format_codes_tell_dates(void **state)
{
    (void)state;
    static const char *const dates[] = {"yyyy\\-mm\\-dd;@", "d-mmm-yy",  "[h]:mm:ss", "[$-409]d/m/yy", "m",
                                        "h AM/PM",          "[Red]yyyy", "\"on \"d",  "[mm]:ss",       "0.00\"x\"s"};
    static const char *const numbers[] = {"General", "0.00", "#,##0", "[Red]0", "0\"days\"", "0\\d", "_d0", "\"yyyy\"0",
                                          "[",       "\"y",  "",      "0;yyyy", "[$-409]0",  "@",    "\\",  "0.00E+00"};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        if (!date_format_code(dates[i]))
            fail_msg("%s is a date format", dates[i]);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (date_format_code(numbers[i]))
            fail_msg("%s is no date format", numbers[i]);
    assert_true(date_format_id(14) && date_format_id(22) && date_format_id(45) && date_format_id(47));
    assert_false(date_format_id(0) || date_format_id(13) || date_format_id(23) || date_format_id(48));
}

/* Days from 0001-01-01 to 2024-01-15 and 1970-01-01, from Python's date.toordinal() - 1. */
#define DAY_2024_01_15 738899LL
#define DAY_1970_01_01 719162LL

static void check_date(const char *text, int64_t days, int64_t seconds, int64_t us)
{
    int64_t out = -1;
    if (!date_parse(text, strlen(text), &out))
        fail_msg("'%s' is a date", text);
    if (out != (days * 86400 + seconds) * US + us)
        fail_msg("'%s' was read as %lld us", text, (long long)out);
}

static void the_listed_forms_are_dates(void **state)
{
    (void)state;
    int64_t day = DAY_2024_01_15;
    check_date("1970-01-01", DAY_1970_01_01, 0, 0);
    check_date("0001-01-01", 0, 0, 0);
    check_date("2024-01-15", day, 0, 0);
    check_date("2024/01/15", day, 0, 0);
    check_date("2024/1/15", day, 0, 0);
    check_date("20240115", day, 0, 0);
    check_date("  2024-01-15 ", day, 0, 0);
    check_date("2024-01-15 10:30", day, 37800, 0);
    check_date("2024-01-15T10:30:05", day, 37805, 0);
    check_date("2024-01-15 10:30:05.25", day, 37805, 250000);
    check_date("2024-01-15 10:30:05.123456789", day, 37805, 123456);
    check_date("20240115T103005", day, 37805, 0);
    check_date("20240115103005", day, 37805, 0);
    check_date("2024-01-15T10", day, 36000, 0);
    check_date("2024", day - 14, 0, 0);
    check_date("2024-01", day - 14, 0, 0);
    check_date("2024-02-29", day + 45, 0, 0);
}

static void zones_are_applied(void **state)
{
    (void)state;
    int64_t day = DAY_2024_01_15;
    check_date("2024-01-15T10:30:00Z", day, 37800, 0);
    check_date("2024-01-15T10:30:00+02:00", day, 30600, 0);
    check_date("2024-01-15T10:30:00-0530", day, 57600, 0);
    check_date("2024-01-15 10:30:00 +02", day, 30600, 0);
    check_date("2024-01-15 10:30 UTC", day, 37800, 0);
    check_date("10:30 2024-01-15", day, 37800, 0);
}

static void day_and_month_are_guessed_per_cell(void **state)
{
    (void)state;
    check_date("01/02/2024", DAY_2024_01_15 - 13, 0, 0);
    check_date("13/02/2024", DAY_2024_01_15 + 29, 0, 0);
    check_date("13-02-2024", DAY_2024_01_15 + 29, 0, 0);
    check_date("13.02.2024 10:30", DAY_2024_01_15 + 29, 37800, 0);
    check_date("1/15/24", DAY_2024_01_15, 0, 0);
    check_date("1/15/2024 10:30:00 PM", DAY_2024_01_15, 81000, 0);
    check_date("1/15/2024 12 am", DAY_2024_01_15, 0, 0);
    check_date("1/15/2024 0:30 AM", DAY_2024_01_15, 1800, 0);
}

static void amounts_are_no_dates(void **state)
{
    (void)state;
    static const char *const amounts[] = {"1000", "1234.50", "2500.7", "12.1500", "1677", "2263", "9999"};
    int64_t out;
    for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++)
        if (date_parse(amounts[i], strlen(amounts[i]), &out))
            fail_msg("'%s' was taken for a date", amounts[i]);
    check_date("2024.1", DAY_2024_01_15 - 14, 0, 0);
    check_date("1234-05-01", 450464, 0, 0);
    check_date("Jan 1000", 364877, 0, 0);
}

static void month_names_are_understood(void **state)
{
    (void)state;
    static const char *const texts[] = {"15 Jan 2024",      "Jan 15, 2024",         "15-Jan-2024",
                                        "15-JAN-24",        "January 15 2024",      "2024-Jan-15",
                                        "Mon, 15 Jan 2024", "15th of January 2024", "Monday 15 Jan 24",
                                        "Jan. 15th, 2024",  "2024 January 15th"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_date(texts[i], DAY_2024_01_15, 0, 0);
    check_date("Jan 2024", DAY_2024_01_15 - 14, 0, 0);
    check_date("Mon Jan 15 10:30:00 2024", DAY_2024_01_15, 37800, 0);
    check_date("Mon, 15 Jan 2024 10:30:00 GMT", DAY_2024_01_15, 37800, 0);
}

static void other_texts_are_no_dates(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "soon",
                                        "12:30",
                                        "1704067200",
                                        "2024-13-01",
                                        "2024-02-30",
                                        "2023-02-29",
                                        "0000-01-01",
                                        "13/13/2024",
                                        "15",
                                        "202401",
                                        "Jan",
                                        "Jan 15",
                                        "2024-01-15 25:00",
                                        "2024-01-15 10:60",
                                        "1.5",
                                        "-2024",
                                        "2024-",
                                        ",2024",
                                        "2024--01",
                                        "2024-01-15T",
                                        "2024-01-15 10:30:99",
                                        "T10:30",
                                        "2024-01-15x",
                                        "1/2/3/4",
                                        "2024-01-15 10:30 ESTX",
                                        "10 pm",
                                        "pm",
                                        "2024-01-15 13:00 pm",
                                        "2024-01-15 10:30 +25:00",
                                        "99999999999999999999",
                                        "2024-01-15 2024-01-15",
                                        "   ",
                                        "Jan Feb 2024"};
    int64_t out;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (date_parse(texts[i], strlen(texts[i]), &out))
            fail_msg("'%s' was taken for a date", texts[i]);
}

static void a_date_splits_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct date_parts parts;
    } cases[] = {
        {"2024-02-29T23:30:15.250+02:00", {2024, 2, 29, 23, 30, 15, 250000, 3, 60}},
        {"0001-01-01", {1, 1, 1, 0, 0, 0, 0, 0, 1}},
        {"9999-12-31 00:00:59 Z", {9999, 12, 31, 0, 0, 59, 0, 4, 365}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us;
        struct date_parts got;
        assert_true(date_parse_as_written(cases[i].text, strlen(cases[i].text), &us));
        date_split(us, &got);
        assert_memory_equal(&got, &cases[i].parts, sizeof got);
    }
}

/* Any order of the bytes a date may hold: nothing is read outside the text (the sanitizers watch). */
static void no_text_reads_outside_itself(void **state)
{
    (void)state;
    static const char bytes[] = "019 :-/.,+TZJanpm";
    uint32_t seed = 7;
    for (int round = 0; round < 200000; round++) {
        char text[12];
        seed = seed * 1664525u + 1013904223u;
        size_t len = seed >> 29;
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1664525u + 1013904223u;
            text[i] = bytes[(seed >> 16) % (sizeof bytes - 1)];
        }
        int64_t out = 0;
        if (date_parse(text, len, &out))
            assert_in_range(out + 2 * DAY, 0, 3652061 * DAY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serials_print_as_the_contract_says), cmocka_unit_test(a_serial_below_one_is_a_time),
        cmocka_unit_test(serials_out_of_range_print_nothing), cmocka_unit_test(format_codes_tell_dates),
        cmocka_unit_test(the_listed_forms_are_dates),         cmocka_unit_test(zones_are_applied),
        cmocka_unit_test(day_and_month_are_guessed_per_cell), cmocka_unit_test(amounts_are_no_dates),
        cmocka_unit_test(month_names_are_understood),         cmocka_unit_test(other_texts_are_no_dates),
        cmocka_unit_test(a_date_splits_as_written),           cmocka_unit_test(no_text_reads_outside_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
