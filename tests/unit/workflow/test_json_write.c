#include "table_text.h"

static void records_look_as_from_pandas(void **state)
{
    (void)state;
    struct cell names[] = {table_cell("a"), table_cell("b \"q\"")};
    struct cell cells[] = {
        table_cell("1"), table_cell("x/y"), cell_empty(), {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}};
    char *got = table_written(&json_sink, names, cells, 2, 2);
    assert_string_equal(got, "[\n  {\n    \"a\":\"1\",\n    \"b \\\"q\\\"\":\"x\\/y\"\n  },\n"
                             "  {\n    \"a\":\"\",\n    \"b \\\"q\\\"\":null\n  }\n]");
    free(got);
}

static void a_table_without_rows_is_an_empty_array(void **state)
{
    (void)state;
    struct cell names[] = {table_cell("a")};
    char *got = table_written(&json_sink, names, NULL, 1, 0);
    assert_string_equal(got, "[\n\n]");
    free(got);
}

static void check_value(struct cell cell, const char *expected)
{
    struct cell names[] = {table_cell("a")};
    char *got = table_written(&json_sink, names, &cell, 1, 1), whole[300];
    snprintf(whole, sizeof whole, "[\n  {\n    \"a\":%s\n  }\n]", expected);
    assert_string_equal(got, whole);
    free(got);
}

static void every_kind_of_cell_has_its_form(void **state)
{
    (void)state;
    check_value((struct cell){.kind = CELL_INTEGER, .is.integer = -7}, "-7");
    check_value((struct cell){.kind = CELL_REAL, .is.real = 0.1}, "0.1");
    check_value((struct cell){.kind = CELL_REAL, .is.real = 2}, "2.0");
    check_value((struct cell){.kind = CELL_REAL, .is.real = 1e300}, "1e+300");
    check_value((struct cell){.kind = CELL_REAL, .is.real = 0.0 / 0.0}, "null");
    check_value((struct cell){.kind = CELL_TRUTH, .is.truth = true}, "true");
    check_value((struct cell){.kind = CELL_TRUTH, .is.truth = false}, "false");
}

static void texts_are_escaped_to_ascii(void **state)
{
    (void)state;
    check_value(table_cell("\b\t\n\f\r\"\\/"), "\"\\b\\t\\n\\f\\r\\\"\\\\\\/\"");
    check_value(cell_text("\0\1\x1f\x7f", 4), "\"\\u0000\\u0001\\u001f\x7f\"");
    check_value(table_cell("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), "\"\\u00e9\\u20ac\\ud83d\\ude00\"");
    check_value(table_cell("\xFFx\xE2\x82"), "\"\\ufffdx\\ufffd\\ufffd\"");
}

/* More than one flush, and what is read back is what was written. */
static void what_is_written_reads_back(void **state)
{
    (void)state;
    static char long_text[200000];
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = "ab\n\"\\/\x01\x7f"[i % 8];
    struct cell names[] = {table_cell("p"), table_cell("\xE2\x82\xAC")};
    struct cell cells[] = {cell_text(long_text, sizeof long_text), table_cell("\xF0\x9F\x98\x80"), table_cell("x"),
                           cell_empty()};
    int fd = table_written_file(&json_sink, names, cells, 2, 2);
    char *back = table_show(&json_source, fd, NULL);
    struct buf expected = BUF_INIT(1u << 20);
    table_show_row(&expected, names, 2);
    table_show_row(&expected, cells, 2);
    table_show_row(&expected, cells + 2, 2);
    assert_string_equal(back, buf_text(&expected));
    buf_fini(&expected);
    free(back);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_look_as_from_pandas),     cmocka_unit_test(a_table_without_rows_is_an_empty_array),
        cmocka_unit_test(every_kind_of_cell_has_its_form), cmocka_unit_test(texts_are_escaped_to_ascii),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
