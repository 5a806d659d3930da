#include "table_text.h"

static const struct layout look = {.sheet_name = NULL};

/* Writes header and rows and gives the file's bytes back. */
static char *written(const struct cell *names, const struct cell *cells, uint32_t columns, uint32_t rows)
{
    struct fault why;
    struct output *output;
    struct sink *sink;
    struct columns header = {.count = columns, .name = names};
    int fd = table_file("", 0);
    assert_int_equal(output_new(&output, fd, 1 << 20, "file.max_file_size_mb", &why), ERR_OK);
    assert_int_equal(csv_sink.begin(&sink, output, &header, &look, &why), ERR_OK);
    for (uint32_t i = 0; i < rows; i++) {
        struct row row = {.number = i + 1, .count = columns, .cell = cells + (size_t)i * columns};
        assert_int_equal(sink_row(sink, &row, &why), ERR_OK);
    }
    assert_int_equal(sink_finish(sink, &why), ERR_OK);
    assert_int_equal(output_flush(output, &why), ERR_OK);
    sink_destroy(&sink);
    output_destroy(&output);
    size_t len;
    char *bytes = table_bytes(fd, &len);
    close(fd);
    return bytes;
}

static struct cell text(const char *bytes)
{
    return cell_text(bytes, strlen(bytes));
}

static void quotes_stand_only_where_they_must(void **state)
{
    (void)state;
    struct cell names[] = {text("plain"), text("with,comma"), text("q\"uote")};
    struct cell cells[] = {text("x y"),
                           text("a long text, with a comma"),
                           text("long text with a \"quote\""),
                           text("two\nlines"),
                           text("carriage\rreturn"),
                           text("\xC3\xA9;\t|'"),
                           text("no specials here"),
                           cell_empty(),
                           text(" ")};
    char *got = written(names, cells, 3, 3);
    assert_string_equal(got, "plain,\"with,comma\",\"q\"\"uote\"\n"
                             "x y,\"a long text, with a comma\",\"long text with a \"\"quote\"\"\"\n"
                             "\"two\nlines\",\"carriage\rreturn\",\xC3\xA9;\t|'\n"
                             "no specials here,, \n");
    free(got);
}

static void typed_cells_print_as_python_does(void **state)
{
    (void)state;
    struct cell names[] = {text("a"), text("b"), text("c"), text("d")};
    struct cell cells[] = {{.kind = CELL_INTEGER, .is.integer = INT64_MIN},
                           {.kind = CELL_REAL, .is.real = 2.0},
                           {.kind = CELL_TRUTH, .is.truth = true},
                           {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}};
    char *got = written(names, cells, 4, 1);
    assert_string_equal(got, "a,b,c,d\n-9223372036854775808,2.0,True,\n");
    free(got);
}

/* A reader skips blank lines: a table of one column must not lose its empty rows by that. */
static void a_row_that_would_read_as_blank_is_quoted(void **state)
{
    (void)state;
    struct cell names[] = {text(" ")};
    struct cell cells[] = {text("x"), cell_empty(), text(" \t"), text(" y")};
    char *got = written(names, cells, 1, 4);
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
    struct cell names[] = {text("a"), text("b")};
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
                               cell_text(long_text, round == 0 ? sizeof long_text : 3), text("end")};
        char *got = written(names, cells, 2, 2);
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
    struct cell names[] = {text("abc")};
    struct columns header = {.count = 1, .name = names};
    int fd = table_file("", 0);
    assert_int_equal(output_new(&output, fd, 10, "some.key", &why), ERR_OK);
    assert_int_equal(csv_sink.begin(&sink, output, &header, &look, &why), ERR_OK);
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
