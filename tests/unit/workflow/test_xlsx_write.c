#include "table_text.h"

#include "table/xlsx_package.h"
#include "table/zip_member.h"

#define P "Failed to write Excel file: "

static struct cell text(const char *bytes)
{
    return cell_text(bytes, strlen(bytes));
}

struct writing {
    int fd;
    struct output *output;
    struct sink *sink;
    struct fault why;
    uint64_t rows;
};

static enum err start(struct writing *self, const struct columns *columns, const struct layout *look)
{
    *self = (struct writing){.fd = table_file("", 0)};
    table_must(output_new(&self->output, self->fd, 1u << 30, "key", &self->why) == ERR_OK);
    return xlsx_sink.begin(&self->sink, self->output, columns, look, &self->why);
}

static enum err add(struct writing *self, const struct cell *cells, uint32_t count)
{
    struct row row = {.number = ++self->rows, .count = count, .cell = cells};
    return sink_row(self->sink, &row, &self->why);
}

static void finish(struct writing *self)
{
    assert_int_equal(sink_finish(self->sink, &self->why), ERR_OK);
    assert_int_equal(output_flush(self->output, &self->why), ERR_OK);
}

static void stop(struct writing *self)
{
    sink_destroy(&self->sink);
    output_destroy(&self->output);
    close(self->fd);
}

static void check_sheet(const struct writing *self, const char *sheet, const char *expected)
{
    char *got = table_show(&xlsx_source, self->fd, &(struct read_options){.sheet = sheet});
    assert_string_equal(got, expected);
    free(got);
}

/* A part of the written package as text. */
static char *part_text(int fd, const char *name)
{
    struct zip_archive *archive;
    struct zip_member *member;
    struct fault why;
    assert_int_equal(zip_archive_new(&archive, fd, UINT64_MAX, &why), ERR_OK);
    struct zip_entry *entry = zip_archive_find(archive, name);
    assert_non_null(entry);
    char *bytes = calloc(entry->bytes + 1, 1);
    assert_int_equal(zip_member_new(&member, archive, entry, &why), ERR_OK);
    size_t len, used = 0;
    do {
        assert_int_equal(zip_member_read(member, bytes + used, entry->bytes + 1 - used, &len, &why), ERR_OK);
        used += len;
    } while (len > 0);
    zip_member_destroy(&member);
    zip_archive_destroy(&archive);
    return bytes;
}

static void check_part_has(const struct writing *self, const char *name, const char *expected, bool wanted)
{
    char *part = part_text(self->fd, name);
    if ((strstr(part, expected) != NULL) != wanted)
        fail_msg("%s %s '%s': %s", name, wanted ? "lacks" : "has", expected, part);
    free(part);
}

static void tables_read_back_as_they_were(void **state)
{
    (void)state;
    struct cell names[] = {text("a"), text(" b "), text("c\n<&\">'")};
    struct columns columns = {.count = 3, .name = names};
    struct writing writing;
    assert_int_equal(start(&writing, &columns, NULL), ERR_OK);
    struct cell one[] = {text("=1+1"), text("_x0041_ _x000D_ _x00"), text("\x01\r\n\t\xE2\x82\xAC\xF0\x9F\x98\x80")};
    struct cell none[] = {cell_empty(), cell_empty(), cell_empty()};
    struct cell some[] = {{.kind = CELL_INTEGER, .is.integer = -7},
                          {.kind = CELL_REAL, .is.real = 0.1},
                          {.kind = CELL_TRUTH, .is.truth = true}};
    struct cell error[] = {
        text("x"), {.kind = CELL_ERROR, .len = 4, .is.text = "#N/A"}, {.kind = CELL_REAL, .is.real = 1e300}};
    assert_int_equal(add(&writing, one, 3), ERR_OK);
    assert_int_equal(add(&writing, none, 3), ERR_OK);
    assert_int_equal(add(&writing, some, 3), ERR_OK);
    assert_int_equal(add(&writing, error, 3), ERR_OK);
    finish(&writing);
    char expected[1000];
    snprintf(expected, sizeof expected,
             "a| b |c\n<&\">'\n=1+1|_x0041_ _x000D_ "
             "_x00|\x01\r\n\t\xE2\x82\xAC\xF0\x9F\x98\x80\n||\n-7|0.1|True\nx||1%0300d\n",
             0);
    check_sheet(&writing, NULL, expected);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<c r=\"A2\" t=\"inlineStr\"><is><t>=1+1</t></is></c>", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<t xml:space=\"preserve\"> b </t>", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "_x005F_x0041_ _x000D_ _x00<", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "_x0001_&#13;\n", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml",
                   "<c r=\"A4\"><v>-7</v></c><c r=\"B4\"><v>0.1</v></c><c r=\"C4\" t=\"b\"><v>1</v></c>", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "r=\"3\"", false);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "r=\"B5\"", false);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<dimension ref=\"A1:C5\"/>", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<cols>", false);
    stop(&writing);
}

static void the_info_sheet_describes_the_table(void **state)
{
    (void)state;
    struct cell names[] = {text("k"), text("v")};
    struct columns columns = {.count = 2, .name = names};
    struct layout look = {.file_name = "a&b.xlsx", .created_us = 1705314030000000, .info_sheet = true};
    struct writing writing;
    assert_int_equal(start(&writing, &columns, &look), ERR_OK);
    assert_int_equal(add(&writing, names, 2), ERR_OK);
    finish(&writing);
    check_sheet(&writing, "Sheet1", "k|v\nk|v\n");
    check_sheet(&writing, "Info",
                "Property|Value\nFile|a&b.xlsx\nCreated|2024-01-15 10:20:30\nRows|1\nColumns|2\nColumn Names|k, v\n");
    check_part_has(&writing, "xl/worksheets/sheet2.xml", "<c><v>1</v></c>", true);
    stop(&writing);
    look.sheet_name = "info";
    assert_int_equal(start(&writing, &columns, &look), ERR_OK);
    finish(&writing);
    check_sheet(&writing, "info", "k|v\n");
    check_sheet(&writing, "1",
                "Property|Value\nFile|a&b.xlsx\nCreated|2024-01-15 10:20:30\nRows|0\nColumns|2\nColumn Names|k, v\n");
    check_part_has(&writing, "xl/workbook.xml", "\"Info1\"", true);
    stop(&writing);
}

static void columns_are_as_wide_as_their_longest_text(void **state)
{
    (void)state;
    struct cell names[] = {text("a"), text("long name"), text("c")};
    struct columns columns = {.count = 3, .name = names};
    struct layout look = {.column_widths = true, .column_width_max = 12, .styled_header = true};
    struct cell cells[] = {text("\xE2\x82\xAC\xE2\x82\xAC"), {.kind = CELL_TRUTH}, text("far longer than twelve")};
    struct writing writing;
    assert_int_equal(start(&writing, &columns, &look), ERR_OK);
    assert_int_equal(add(&writing, cells, 3), ERR_OK);
    finish(&writing);
    check_part_has(
        &writing, "xl/worksheets/sheet1.xml",
        "<cols><col min=\"1\" max=\"1\" width=\"4\" customWidth=\"1\"/><col min=\"2\" max=\"2\" width=\"11\" "
        "customWidth=\"1\"/><col min=\"3\" max=\"3\" width=\"12\" customWidth=\"1\"/></cols>",
        true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<c r=\"A1\" s=\"1\" t=\"inlineStr\">", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<c r=\"A2\" t=\"inlineStr\">", true);
    stop(&writing);
}

/* More widths than one stored block of deflate can hold. */
static void the_widest_sheet_is_written(void **state)
{
    (void)state;
    struct cell *names = calloc(16385, sizeof *names);
    char(*bytes)[8] = calloc(16385, sizeof *bytes);
    table_must(names && bytes);
    for (uint32_t i = 0; i < 16385; i++) {
        snprintf(bytes[i], sizeof bytes[i], "c%u", i);
        names[i] = text(bytes[i]);
    }
    struct columns columns = {.count = 16384, .name = names};
    struct layout look = {.column_widths = true, .info_sheet = true};
    struct writing writing;
    assert_int_equal(start(&writing, &columns, &look), ERR_OK);
    assert_int_equal(add(&writing, names, 16384), ERR_OK);
    finish(&writing);
    check_part_has(&writing, "xl/worksheets/sheet1.xml",
                   "<col min=\"16384\" max=\"16384\" width=\"8\" customWidth=\"1\"/></cols>", true);
    check_part_has(&writing, "xl/worksheets/sheet1.xml", "<c r=\"XFD2\" t=\"inlineStr\"><is><t>c16383</t>", true);
    char *got = table_show(&xlsx_source, writing.fd, NULL);
    assert_memory_equal(got, "c0|c1|", 6);
    free(got);
    stop(&writing);
    columns.count = 16385;
    assert_int_equal(start(&writing, &columns, &look), ERR_TOO_LARGE);
    assert_string_equal(writing.why.text, P "Sheet1: 16385 columns are more than the 16384 of an Excel sheet");
    stop(&writing);
    free(names);
    free(bytes);
}

static void sheet_titles_follow_excels_rules(void **state)
{
    (void)state;
    static const struct {
        const char *title, *fault;
    } cases[] = {
        {"a/b", P "Invalid character / found in sheet title"},
        {"[x", P "Invalid character [ found in sheet title"},
        {"a\nb", P "Invalid character U+000A found in sheet title"},
        {"", P "The sheet title is empty"},
        {"'a", P "Invalid character ' found at an end of the sheet title"},
        {"12345678901234567890123456789012",
         P "The sheet title '12345678901234567890123456789012' is longer than 31 characters"},
        {"1234567890123456789012345678901", NULL},
        {"\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3"
         "\xA9\xC3\xA9\xC3\xA9\xC3\xA9",
         NULL},
        {"a<&\"b", NULL},
    };
    struct cell names[] = {text("k")};
    struct columns columns = {.count = 1, .name = names};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct layout look = {.sheet_name = cases[i].title};
        struct writing writing;
        enum err err = start(&writing, &columns, &look);
        assert_int_equal(err, cases[i].fault ? ERR_INVALID : ERR_OK);
        if (cases[i].fault) {
            assert_string_equal(writing.why.text, cases[i].fault);
        } else {
            finish(&writing);
            check_sheet(&writing, cases[i].title, "k\n");
        }
        stop(&writing);
    }
}

static void what_excel_cannot_hold_is_refused(void **state)
{
    (void)state;
    struct cell names[] = {text("k")};
    struct columns columns = {.count = 1, .name = names};
    char *bytes = malloc(40000);
    table_must(bytes != NULL);
    memset(bytes, 'x', 40000);
    struct cell longest = cell_text(bytes, 32767), too_long = cell_text(bytes, 32768);
    struct writing writing;
    assert_int_equal(start(&writing, &columns, NULL), ERR_OK);
    assert_int_equal(add(&writing, &longest, 1), ERR_OK);
    assert_int_equal(add(&writing, &too_long, 1), ERR_TOO_LARGE);
    assert_string_equal(writing.why.text, P "Sheet1: cell A3: a text of 32768 characters is longer than Excel's 32767");
    stop(&writing);
    free(bytes);
    struct cell empty = cell_empty();
    assert_int_equal(start(&writing, &columns, NULL), ERR_OK);
    for (uint32_t i = 1; i < 1048576; i++)
        assert_int_equal(add(&writing, &empty, 1), ERR_OK);
    assert_int_equal(add(&writing, &empty, 1), ERR_TOO_LARGE);
    assert_string_equal(writing.why.text, P "Sheet1: more rows than the 1048576 of an Excel sheet");
    stop(&writing);
}

static void a_table_without_columns_is_an_empty_sheet(void **state)
{
    (void)state;
    struct columns columns = {.count = 0};
    struct layout look = {.column_widths = true, .info_sheet = true};
    struct writing writing;
    assert_int_equal(start(&writing, &columns, &look), ERR_OK);
    finish(&writing);
    check_sheet(&writing, NULL, "\n");
    stop(&writing);
}

static void a_full_output_is_reported(void **state)
{
    (void)state;
    struct cell names[] = {text("k")};
    struct columns columns = {.count = 1, .name = names};
    struct output *output;
    struct sink *sink;
    struct fault why;
    assert_int_equal(output_new(&output, -1, 500, "some.key", &why), ERR_OK);
    assert_int_equal(xlsx_sink.begin(&sink, output, &columns, NULL, &why), ERR_TOO_LARGE);
    assert_string_equal(why.text, P "the output file would be larger than 500 bytes (some.key)");
    assert_null(sink);
    output_destroy(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_read_back_as_they_were),
        cmocka_unit_test(the_info_sheet_describes_the_table),
        cmocka_unit_test(columns_are_as_wide_as_their_longest_text),
        cmocka_unit_test(the_widest_sheet_is_written),
        cmocka_unit_test(sheet_titles_follow_excels_rules),
        cmocka_unit_test(what_excel_cannot_hold_is_refused),
        cmocka_unit_test(a_table_without_columns_is_an_empty_sheet),
        cmocka_unit_test(a_full_output_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
