#include "table_text.h"

static void check(struct cell cell, const char *expected)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(&cell, space, &len);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(text, expected, len);
}

static void cells_print_as_pythons_str(void **state)
{
    (void)state;
    check(cell_empty(), "");
    check(table_cell("x"), "x");
    check((struct cell){.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}, "");
    check((struct cell){.kind = CELL_INTEGER, .is.integer = 7}, "7");
    check((struct cell){.kind = CELL_INTEGER, .is.integer = INT64_MIN}, "-9223372036854775808");
    check((struct cell){.kind = CELL_REAL, .is.real = 2}, "2.0");
    check((struct cell){.kind = CELL_REAL, .is.real = 1e-7}, "1e-07");
    check((struct cell){.kind = CELL_TRUTH, .is.truth = true}, "True");
    check((struct cell){.kind = CELL_TRUTH, .is.truth = false}, "False");
}

static void a_text_without_bytes_is_empty(void **state)
{
    (void)state;
    assert_int_equal(cell_text("x", 0).kind, CELL_EMPTY);
    assert_int_equal(cell_text("x", 1).kind, CELL_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_print_as_pythons_str),
        cmocka_unit_test(a_text_without_bytes_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
