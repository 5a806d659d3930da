#include "output_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MOMENT 1795371744000000 /* 2026-11-22T18:22:24Z */

static void check_stem(const char *name, const char *expected)
{
    char out[OUTPUT_NAME_MAX];
    output_name_stem(name, out);
    assert_string_equal(out, expected);
}

static void a_stem_is_the_name_without_its_last_ending(void **state)
{
    (void)state;
    check_stem("people.csv", "people");
    check_stem("people.2026.csv", "people.2026");
    check_stem("people", "people");
    check_stem(".csv", ".csv");
    check_stem("", "");
    check_stem("a\"b\\c/d\ne.csv", "a_b_c_d_e");
}

static void check_name(const char *stem, const char *suffix, const char *ending, const char *taken,
                       const char *expected)
{
    char base[OUTPUT_NAME_MAX], out[OUTPUT_NAME_MAX];
    json_t *list = json_loads(taken, 0, NULL);
    output_name_base(stem, suffix, MOMENT, base);
    output_name_pick(base, ending, list, out);
    assert_string_equal(out, expected);
    json_decref(list);
}

static void names_follow_the_contract(void **state)
{
    (void)state;
    check_name("people", "search", ".csv", "[]", "people_search_20261122_182224.csv");
    check_name("people", "", ".xlsx", "[]", "people.xlsx");
    check_name("данные", "mapped", ".xlsx", "[]", "данные_mapped_20261122_182224.xlsx");
}

static void a_taken_name_gets_a_number_before_its_ending(void **state)
{
    (void)state;
    check_name("people", "", ".xlsx", "[\"people.xlsx\"]", "people-2.xlsx");
    check_name("people", "", ".xlsx", "[\"people-2.xlsx\",7,\"people.xlsx\",\"people-3.xlsx\"]", "people-4.xlsx");
    check_name("people", "", ".xlsx", "[\"people.csv\"]", "people.xlsx");
}

static void a_long_name_is_cut_at_a_characters_boundary(void **state)
{
    (void)state;
    char stem[600] = "", base[OUTPUT_NAME_MAX], out[OUTPUT_NAME_MAX];
    for (int i = 0; i < 190; i++)
        strcat(stem, "\xE2\x82\xAC"); /* three bytes */
    json_t *taken = json_array();
    output_name_base(stem, "search", MOMENT, base);
    output_name_pick(base, ".xlsx", taken, out);
    json_array_append_new(taken, json_string(out));
    assert_non_null(json_string_value(json_array_get(taken, 0))); /* NULL for what is not UTF-8 */
    assert_true(strlen(out) <= 200);
    assert_non_null(strstr(out, "\xE2\x82\xAC_search_20261122_182224.xlsx"));
    output_name_pick(base, ".xlsx", taken, out);
    assert_non_null(strstr(out, "_search_20261122_182224-2.xlsx"));
    assert_true(strlen(out) <= 200);
    output_name_stem(stem, out);
    assert_true(strlen(out) <= 200 && strlen(out) % 3 == 0);
    json_decref(taken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stem_is_the_name_without_its_last_ending),
        cmocka_unit_test(names_follow_the_contract),
        cmocka_unit_test(a_taken_name_gets_a_number_before_its_ending),
        cmocka_unit_test(a_long_name_is_cut_at_a_characters_boundary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
