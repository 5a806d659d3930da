#include "table_text.h"

static const struct cell names[] = {{.kind = CELL_TEXT, .len = 1, .is.text = "a"},
                                    {.kind = CELL_TEXT, .len = 2, .is.text = "\xC3\xA9"}};

static void check_cells(const struct cell *cells, uint32_t rows, const char *expected)
{
    int fd = table_written_file(&spool_sink, names, cells, 2, rows);
    for (uint32_t block = 0; block < 60; block++) {
        char *got = table_show(&spool_source, fd, &(struct read_options){.block_bytes = block});
        assert_string_equal(got, expected);
        free(got);
    }
    close(fd);
}

static void cells_come_back_as_a_reader_would_have_read_them(void **state)
{
    (void)state;
    struct cell cells[] = {table_cell("x"),
                           cell_empty(),
                           {.kind = CELL_INTEGER, .is.integer = -12},
                           {.kind = CELL_REAL, .is.real = 2.0},
                           {.kind = CELL_REAL, .is.real = 0.1},
                           {.kind = CELL_REAL, .is.real = 1e20},
                           {.kind = CELL_TRUTH, .is.truth = true},
                           {.kind = CELL_TRUTH, .is.truth = false},
                           {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"},
                           table_cell("a text of more than sixty-three bytes, so that its length takes two bytes")};
    check_cells(cells, 5,
                "a|\xC3\xA9\nx|\n-12|2\n0.1|100000000000000000000\nTrue|False\n"
                "|a text of more than sixty-three bytes, so that its length takes two bytes\n");
}

static void an_error_value_becomes_nothing(void **state)
{
    (void)state;
    struct cell error = {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"};
    struct cell cells[] = {error, table_cell("x"), error, error, error, cell_empty()};
    check_cells(cells, 3, "a|\xC3\xA9\n|x\n");
}

static char *shown_as(const struct sink_kind *visible, const struct cell *cells, uint32_t rows)
{
    struct layout look = {.visible = visible};
    int fd = table_written_file_as(&spool_sink, &look, names, cells, 2, rows);
    char *shown = table_show(&spool_source, fd, NULL);
    close(fd);
    return shown;
}

static void rows_are_what_the_visible_files_format_gives_back(void **state)
{
    (void)state;
    struct cell cells[] = {cell_text("a\0b\0", 4), cell_text("\0", 1), cell_empty(), cell_empty()};
    char *book = shown_as(&xlsx_sink, cells, 2);
    assert_string_equal(book, "a|\xC3\xA9\na_x0000_b_x0000_|_x0000_\n");
    free(book);
    struct cell texts[] = {table_cell("x"), cell_empty(), cell_empty(), cell_empty(), cell_empty(), cell_empty()};
    char *csv = shown_as(&csv_sink, texts, 3), *json = shown_as(&json_sink, texts, 3);
    assert_string_equal(csv, "a|\xC3\xA9\nx|\n|\n|\n");
    assert_string_equal(json, csv);
    free(csv);
    free(json);
}

static void only_empty_rows_at_the_end_are_dropped(void **state)
{
    (void)state;
    struct cell empty = cell_empty(), x = table_cell("x");
    struct cell cells[] = {empty, empty, x, empty, empty, empty, empty, empty, empty, x, empty, empty, empty, empty};
    check_cells(cells, 7, "a|\xC3\xA9\n|\nx|\n|\n|\n|x\n");
    check_cells(cells, 1, "a|\xC3\xA9\n");
    check_cells(cells, 0, "a|\xC3\xA9\n");
}

static void a_long_gap_takes_no_room(void **state)
{
    (void)state;
    enum { COLUMNS = 1000, ROWS = 5000 };
    struct cell *cells = calloc((size_t)COLUMNS * ROWS, sizeof *cells);
    table_must(cells != NULL);
    for (uint32_t i = 0; i < COLUMNS; i++)
        cells[i] = cells[(size_t)(ROWS - 1) * COLUMNS + i] = table_cell("x");
    int fd = table_written_file(&spool_sink, cells, cells, COLUMNS, ROWS);
    assert_in_range(lseek(fd, 0, SEEK_END), 1, 20000);
    struct source *source;
    struct row row = {.number = 0};
    struct fault why;
    assert_int_equal(spool_source.open(&source, fd, NULL, &why), ERR_OK);
    while (source_next(source, &row, &why) == ERR_OK) {
        bool filled = row.number == 1 || row.number == ROWS;
        assert_int_equal(row.blank, !filled);
        assert_int_equal(row.cell[COLUMNS - 1].kind, filled ? CELL_TEXT : CELL_EMPTY);
    }
    assert_int_equal(row.number, ROWS);
    source_destroy(&source);
    close(fd);
    free(cells);
}

static void a_table_without_columns_is_possible(void **state)
{
    (void)state;
    int fd = table_written_file(&spool_sink, names, names, 0, 3);
    char *got = table_show(&spool_source, fd, NULL);
    assert_string_equal(got, "\n");
    free(got);
    close(fd);
}

static void long_rows_come_back(void **state)
{
    (void)state;
    size_t len = 3u << 20;
    char *text = malloc(len);
    table_must(text != NULL);
    memset(text, 'x', len);
    struct cell cells[] = {cell_text(text, len), cell_text(text, len - 1), table_cell("1"), table_cell("2")};
    int fd = table_written_file(&spool_sink, names, cells, 2, 2);
    struct source *source;
    struct row row;
    struct fault why;
    assert_int_equal(spool_source.open(&source, fd, NULL, &why), ERR_OK);
    assert_int_equal(source_next(source, &row, &why), ERR_OK);
    assert_int_equal(row.cell[0].len, len);
    assert_memory_equal(row.cell[1].is.text, text, len - 1);
    assert_int_equal(source_next(source, &row, &why), ERR_OK);
    assert_int_equal(source_next(source, &row, &why), ERR_END);
    source_destroy(&source);
    close(fd);
    free(text);
}

/* Reads a changed spool to its end: any error is right, but it must be one, and it must be the format's. */
static void must_be_refused(const char *bytes, size_t len)
{
    int fd = table_file(bytes, len);
    struct source *source;
    struct row row;
    struct fault why;
    enum err err = spool_source.open(&source, fd, NULL, &why);
    while (err == ERR_OK)
        err = source_next(source, &row, &why);
    assert_int_equal(err, ERR_PROTOCOL);
    assert_memory_equal(why.text, "Failed to read the table of the step before: it is damaged", 58);
    source_destroy(&source);
    close(fd);
}

static void every_truncation_and_every_changed_byte_is_found(void **state)
{
    (void)state;
    struct cell cells[] = {table_cell("one"), table_cell("two"), cell_empty(),
                           cell_empty(),      cell_empty(),      table_cell("three")};
    int fd = table_written_file(&spool_sink, names, cells, 2, 3);
    size_t len;
    char *bytes = table_bytes(fd, &len);
    close(fd);
    for (size_t cut = 0; cut < len; cut++)
        must_be_refused(bytes, cut);
    for (size_t at = 0; at < len; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] = (char)(bytes[at] ^ (1 << bit));
            must_be_refused(bytes, len);
            bytes[at] = (char)(bytes[at] ^ (1 << bit));
        }
    char *more = calloc(len + 1, 1);
    table_must(more != NULL);
    memcpy(more, bytes, len);
    must_be_refused(more, len + 1);
    free(more);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_come_back_as_a_reader_would_have_read_them),
        cmocka_unit_test(an_error_value_becomes_nothing),
        cmocka_unit_test(rows_are_what_the_visible_files_format_gives_back),
        cmocka_unit_test(only_empty_rows_at_the_end_are_dropped),
        cmocka_unit_test(a_long_gap_takes_no_room),
        cmocka_unit_test(a_table_without_columns_is_possible),
        cmocka_unit_test(long_rows_come_back),
        cmocka_unit_test(every_truncation_and_every_changed_byte_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
