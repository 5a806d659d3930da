#include "table/header.h"

#include "table_text.h"

static void check(const char *const *raw, uint32_t count, const char *expected)
{
    struct cell cells[16];
    for (uint32_t i = 0; i < count; i++)
        cells[i] = table_cell(raw[i]);
    struct header header;
    assert_int_equal(header_make(&header, cells, count, NULL), ERR_OK);
    assert_int_equal(header.columns.count, count);
    struct buf out = BUF_INIT(4096);
    table_show_row(&out, header.columns.name, count);
    assert_string_equal(buf_text(&out), expected);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(columns_find(&header.columns, header.columns.name[i].is.text, header.columns.name[i].len), i);
    buf_fini(&out);
    header_fini(&header);
}

#define CHECK(expected, ...)                                                                                           \
    check((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), expected)

static void names_become_unique(void **state)
{
    (void)state;
    CHECK("a|b|c\n", "a", "b", "c");
    CHECK("a|a.1|a.2\n", "a", "a", "a");
    CHECK("A|a\n", "A", "a");
    CHECK("Unnamed: 0|x|Unnamed: 2\n", "", "x", "");
}

static void a_name_that_is_taken_is_skipped(void **state)
{
    (void)state;
    CHECK("a|a.2|a.1\n", "a", "a", "a.1");
    CHECK("a.1|a|a.2\n", "a.1", "a", "a");
    CHECK("a|a.2|a.1|a.1.1\n", "a", "a", "a.1", "a.1");
    CHECK("Unnamed: 1|Unnamed: 1.1\n", "Unnamed: 1", "");
}

static void many_equal_names_are_no_trouble(void **state)
{
    (void)state;
    struct cell *cells = calloc(SOURCE_COLUMNS_MAX + 1, sizeof *cells);
    table_must(cells != NULL);
    for (uint32_t i = 0; i <= SOURCE_COLUMNS_MAX; i++)
        cells[i] = table_cell("same");
    struct header header;
    struct fault why;
    assert_int_equal(header_make(&header, cells, SOURCE_COLUMNS_MAX, &why), ERR_OK);
    assert_int_equal(columns_find(&header.columns, "same.16383", 10), 16383);
    header_fini(&header);
    assert_int_equal(header_make(&header, cells, SOURCE_COLUMNS_MAX + 1, &why), ERR_TOO_LARGE);
    assert_string_equal(why.text, "16385 columns are more than the limit of 16384");
    header_fini(&header);
    free(cells);
}

static void typed_names_are_their_text(void **state)
{
    (void)state;
    struct cell cells[] = {{.kind = CELL_INTEGER, .is.integer = 5},
                           {.kind = CELL_TRUTH, .is.truth = true},
                           {.kind = CELL_REAL, .is.real = 1.5},
                           {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}};
    struct header header;
    assert_int_equal(header_make(&header, cells, 4, NULL), ERR_OK);
    assert_int_equal(columns_find(&header.columns, "5", 1), 0);
    assert_int_equal(columns_find(&header.columns, "True", 4), 1);
    assert_int_equal(columns_find(&header.columns, "1.5", 3), 2);
    assert_int_equal(columns_find(&header.columns, "Unnamed: 3", 10), 3);
    assert_int_equal(columns_find(&header.columns, "unnamed: 3", 10), -1);
    header_fini(&header);
}

static void no_columns_make_no_names(void **state)
{
    (void)state;
    struct header header;
    assert_int_equal(header_make(&header, NULL, 0, NULL), ERR_OK);
    assert_int_equal(header.columns.count, 0);
    header_fini(&header);
    header_fini(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_become_unique),
        cmocka_unit_test(a_name_that_is_taken_is_skipped),
        cmocka_unit_test(many_equal_names_are_no_trouble),
        cmocka_unit_test(typed_names_are_their_text),
        cmocka_unit_test(no_columns_make_no_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
