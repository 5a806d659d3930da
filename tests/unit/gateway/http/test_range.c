#include "http/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void ranges_of_ten_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum range_kind kind;
        uint64_t first, length;
    } cases[] = {
        {NULL, RANGE_WHOLE, 0, 10},
        {"bytes=0-0", RANGE_PART, 0, 1},
        {"bytes=2-4", RANGE_PART, 2, 3},
        {"Bytes= 2-4", RANGE_PART, 2, 3},
        {"bytes=7-", RANGE_PART, 7, 3},
        {"bytes=-3", RANGE_PART, 7, 3},
        {"bytes=-99", RANGE_PART, 0, 10},
        {"bytes=9-99", RANGE_PART, 9, 1},
        {"bytes=0-999999999999999999", RANGE_PART, 0, 10},
        {"bytes=10-", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=10-20", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=-0", RANGE_UNSATISFIABLE, 0, 0},
        {"bytes=4-2", RANGE_WHOLE, 0, 10},
        {"bytes=", RANGE_WHOLE, 0, 10},
        {"bytes=-", RANGE_WHOLE, 0, 10},
        {"bytes=a-b", RANGE_WHOLE, 0, 10},
        {"bytes=1", RANGE_WHOLE, 0, 10},
        {"bytes=1-2x", RANGE_WHOLE, 0, 10},
        {"bytes=1-2,4-5", RANGE_WHOLE, 0, 10},
        {"bytes=-3,4-5", RANGE_WHOLE, 0, 10},
        {"bytes=9999999999999999999-", RANGE_WHOLE, 0, 10},
        {"lines=1-2", RANGE_WHOLE, 0, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct range range;
        assert_int_equal(range_parse(cases[i].header, 10, &range), cases[i].kind);
        if (cases[i].kind == RANGE_UNSATISFIABLE)
            continue;
        assert_int_equal(range.first, cases[i].first);
        assert_int_equal(range.length, cases[i].length);
    }
}

static void nothing_can_be_had_of_an_empty_file(void **state)
{
    (void)state;
    struct range range;
    assert_int_equal(range_parse("bytes=0-", 0, &range), RANGE_UNSATISFIABLE);
    assert_int_equal(range_parse("bytes=-1", 0, &range), RANGE_UNSATISFIABLE);
    assert_int_equal(range_parse(NULL, 0, &range), RANGE_WHOLE);
    assert_int_equal(range.length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_of_ten_bytes),
        cmocka_unit_test(nothing_can_be_had_of_an_empty_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
