#include "table_text.h"

static void quotes_stand_only_where_they_must(void **state)
{
    (void)state;
    struct cell names[] = {table_cell("plain"), table_cell("with,comma"), table_cell("q\"uote")};
    struct cell cells[] = {table_cell("x y"),
                           table_cell("a long text, with a comma"),
                           table_cell("long text with a \"quote\""),
                           table_cell("two\nlines"),
                           table_cell("carriage\rreturn"),
                           table_cell("\xC3\xA9;\t|'"),
                           table_cell("no specials here"),
                           cell_empty(),
                           table_cell(" ")};
    char *got = table_written(&csv_sink, names, cells, 3, 3);
    assert_string_equal(got, "plain,\"with,comma\",\"q\"\"uote\"\n"
                             "x y,\"a long text, with a comma\",\"long text with a \"\"quote\"\"\"\n"
                             "\"two\nlines\",\"carriage\rreturn\",\xC3\xA9;\t|'\n"
                             "no specials here,, \n");
    free(got);
}

static void typed_cells_print_as_python_does(void **state)
{
    (void)state;
    struct cell names[] = {table_cell("a"), table_cell("b"), table_cell("c"), table_cell("d")};
    struct cell cells[] = {{.kind = CELL_INTEGER, .is.integer = INT64_MIN},
                           {.kind = CELL_REAL, .is.real = 2.0},
                           {.kind = CELL_TRUTH, .is.truth = true},
                           {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}};
    char *got = table_written(&csv_sink, names, cells, 4, 1);
    assert_string_equal(got, "a,b,c,d\n-9223372036854775808,2.0,True,\n");
    free(got);
}

/* A reader skips blank lines: a table of one column must not lose its empty rows by that. */
static void a_row_that_would_read_as_blank_is_quoted(void **state)
{
    (void)state;
    struct cell names[] = {table_cell(" ")};
    struct cell cells[] = {table_cell("x"), cell_empty(), table_cell(" \t"), table_cell(" y")};
    char *got = table_written(&csv_sink, names, cells, 1, 4);
    assert_string_equal(got, "\" \"\nx\n\"\"\n\" \t\"\n y\n");
    int fd = table_file(got, strlen(got));
    char *back = table_show(&csv_source, fd, NULL);
    assert_string_equal(back, " \nx\n\n \t\n y\n");
    free(back);
    free(got);
    close(fd);
}

/* Lines longer than the first buffer, and every mix of special characters, come back as they were. */
static void what_is_written_reads_back(void **state)
{
    (void)state;
    static const char bytes[] = "ab,\"\n\r \t;";
    static char long_text[70000];
    struct cell names[] = {table_cell("a"), table_cell("b")};
    uint32_t seed = 5;
    for (int round = 0; round < 200; round++) {
        char first[16], second[16];
        for (size_t i = 0; i < sizeof first; i++) {
            seed = seed * 1664525u + 1013904223u;
            first[i] = bytes[(seed >> 16) % (sizeof bytes - 1)];
            second[i] = bytes[(seed >> 24) % (sizeof bytes - 1)];
        }
        memset(long_text, '"', sizeof long_text);
        struct cell cells[] = {cell_text(first, seed % sizeof first), cell_text(second, seed / 64 % sizeof second),
                               cell_text(long_text, round == 0 ? sizeof long_text : 3), table_cell("end")};
        char *got = table_written(&csv_sink, names, cells, 2, 2);
        int fd = table_file(got, strlen(got));
        char *back = table_show(&csv_source, fd, &(struct read_options){.delimiter = ','});
        struct buf expected = BUF_INIT(1u << 20);
        table_show_row(&expected, names, 2);
        table_show_row(&expected, cells, 2);
        table_show_row(&expected, cells + 2, 2);
        assert_string_equal(back, buf_text(&expected));
        buf_fini(&expected);
        free(back);
        free(got);
        close(fd);
    }
}

static void a_full_output_is_reported(void **state)
{
    (void)state;
    struct fault why;
    struct output *output;
    struct sink *sink;
    struct cell names[] = {table_cell("abc")};
    struct columns header = {.count = 1, .name = names};
    int fd = table_file("", 0);
    assert_int_equal(output_new(&output, fd, 10, "some.key", &why), ERR_OK);
    assert_int_equal(csv_sink.begin(&sink, output, &header, &table_look, &why), ERR_OK);
    struct row row = {.number = 1, .count = 1, .cell = names};
    assert_int_equal(sink_row(sink, &row, &why), ERR_OK);
    assert_int_equal(sink_row(sink, &row, &why), ERR_TOO_LARGE);
    assert_string_equal(why.text, "Failed to write CSV file: the output file would be larger than 10 bytes (some.key)");
    sink_destroy(&sink);
    output_destroy(&output);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_stand_only_where_they_must),
        cmocka_unit_test(typed_cells_print_as_python_does),
        cmocka_unit_test(a_row_that_would_read_as_blank_is_quoted),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(a_full_output_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
