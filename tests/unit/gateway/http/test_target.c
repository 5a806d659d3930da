#include "http/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void path_is_split_before_it_is_decoded(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(&target, "/a%2fb/%D0%B4//..?x", NULL), ERR_OK);
    assert_int_equal(target.segment_count, 4);
    assert_string_equal(target.segment[0], "a/b");
    assert_string_equal(target.segment[1], "\xd0\xb4");
    assert_string_equal(target.segment[2], "");
    assert_string_equal(target.segment[3], "..");
    target_fini(&target);
}

static void query_gives_parameters(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(&target, "/?a=1&&b=x%20y+z&c&a=2&=4&d=e=f", NULL), ERR_OK);
    assert_string_equal(target_query(&target, "a"), "1");
    assert_string_equal(target_query(&target, "b"), "x y z");
    assert_string_equal(target_query(&target, "c"), "");
    assert_string_equal(target_query(&target, "d"), "e=f");
    assert_null(target_query(&target, "e"));
    target_fini(&target);
}

static void plus_is_a_plus_in_a_path(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(&target, "/a+b", NULL), ERR_OK);
    assert_string_equal(target.segment[0], "a+b");
    target_fini(&target);
}

static void absolute_targets_lose_their_authority(void **state)
{
    (void)state;
    struct target target;
    assert_int_equal(target_parse(&target, "http://host:80/a?b=c", NULL), ERR_OK);
    assert_int_equal(target.segment_count, 1);
    assert_string_equal(target.segment[0], "a");
    assert_string_equal(target_query(&target, "b"), "c");
    target_fini(&target);
    assert_int_equal(target_parse(&target, "http://host", NULL), ERR_OK);
    assert_int_equal(target.segment_count, 0);
    target_fini(&target);
    assert_int_equal(target_parse(&target, "*", NULL), ERR_OK);
    assert_int_equal(target.segment_count, 0);
    target_fini(&target);
}

static void bad_codes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"/%", "/%1", "/%zz", "/a%00b", "/?a=%00", "/?%=1", "/?a=%4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct target target;
        struct fault why = {.text = ""};
        assert_int_equal(target_parse(&target, bad[i], &why), ERR_INVALID);
        assert_string_not_equal(why.text, "");
        target_fini(&target);
    }
}

static void counts_are_bounded(void **state)
{
    (void)state;
    char raw[512] = "/?";
    struct target target;
    for (int i = 0; i <= TARGET_PARAMETERS_MAX; i++)
        strcat(raw, "a&");
    assert_int_equal(target_parse(&target, raw, NULL), ERR_TOO_LARGE);
    target_fini(&target);
    raw[0] = '\0';
    for (int i = 0; i <= TARGET_SEGMENTS_MAX; i++)
        strcat(raw, "/a");
    assert_int_equal(target_parse(&target, raw, NULL), ERR_TOO_LARGE);
    target_fini(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_split_before_it_is_decoded),
        cmocka_unit_test(query_gives_parameters),
        cmocka_unit_test(plus_is_a_plus_in_a_path),
        cmocka_unit_test(absolute_targets_lose_their_authority),
        cmocka_unit_test(bad_codes_are_refused),
        cmocka_unit_test(counts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
