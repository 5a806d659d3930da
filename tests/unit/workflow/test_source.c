#include "table_text.h"

/* Opens the bytes under a name; gives the reader's name, or the fault's text after a "!". */
static void check(const char *bytes, size_t len, const char *name, const char *expected)
{
    int fd = table_file(bytes, len);
    struct source *source;
    struct fault why = {.code = ERR_OK};
    enum err err = source_open(&source, fd, name, NULL, &why);
    if (err == ERR_OK) {
        assert_string_equal(source->kind->name, expected);
    } else {
        assert_int_equal(err, why.code);
        assert_null(source);
        assert_int_equal(expected[0], '!');
        if (!strstr(why.text, expected + 1))
            fail_msg("%s: %s", name, why.text);
    }
    source_destroy(&source);
    close(fd);
}

#define CHECK(literal, name, expected) check(literal, sizeof(literal) - 1, name, expected)

static void the_ending_chooses_the_reader_of_texts(void **state)
{
    (void)state;
    CHECK("a,b\n1,2\n", "t.csv", "csv");
    CHECK("a,b\n1,2\n", "T.CSV", "csv");
    CHECK("a,b\n1,2\n", "t.txt", "csv");
    CHECK("[{\"a\":1}]", "t.json", "json");
    CHECK("[{\"a\":1}]", "dir.x/t.json", "json");
    CHECK("a,b\n", "t.json", "!Failed to read JSON file: line 1, column 1");
    CHECK("", "t.csv", "!Failed to read CSV file: No columns to parse from file");
    CHECK("a\0b\n", "t.csv", "!line 1 holds a NUL byte");
}

static void text_of_an_unknown_ending_is_csv(void **state)
{
    (void)state;
    CHECK("a;b\n1;2\n", "t.dat", "csv");
    CHECK("a;b\n1;2\n", "noending", "csv");
    CHECK("a;b\n1;2\n", "", "csv");
    CHECK("\xFF\xFE"
          "a\0\n\0",
          "t.unknown", "csv");
}

static void binary_junk_is_refused_by_its_ending(void **state)
{
    (void)state;
    CHECK("\x89PNG\r\n\x1A\n\0\0", "photo.png", "!Unsupported file format: .png. Readable: .csv, ");
    CHECK("\0\1\2", "noending", "!it has no ending and is not text. Readable: .csv, ");
    CHECK("\0\1\2", "a.verylongendingthatgoeson", "!Unsupported file format: .verylongendingt.");
}

static void the_content_is_believed_before_the_ending(void **state)
{
    (void)state;
    CHECK("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1rest", "t.xlsx", "!Failed to read Excel file: the workbook is damaged");
    CHECK("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1rest", "t.csv", "!the workbook is damaged: it is cut off");
    CHECK("<html><table/></html>", "t.xls",
          "!Failed to read Excel file: File is not an Excel workbook, only named like one");
    CHECK("", "t.xls", "!File is not an Excel workbook");
    CHECK("PK\5\6rest", "t.csv", "!empty ZIP package");
    CHECK("SWSPOOL1rest", "t.csv", "!it is damaged");
    struct cell names[] = {table_cell("a")};
    int fd = table_written_file(&spool_sink, names, NULL, 1, 0);
    struct source *source;
    assert_int_equal(source_open(&source, fd, "", NULL, NULL), ERR_OK);
    assert_string_equal(source->kind->name, "spool");
    source_destroy(&source);
    close(fd);
}

static void a_tsv_is_split_at_tabs(void **state)
{
    (void)state;
    static const char text[] = "a,b;c\td\n1,2;3\t4\n";
    int fd = table_file(text, sizeof text - 1);
    struct source *source;
    assert_int_equal(source_open(&source, fd, "t.tsv", NULL, NULL), ERR_OK);
    assert_int_equal(columns_find(&source->columns, "a,b;c", 5), 0);
    source_destroy(&source);
    struct read_options how = {.delimiter = ';'};
    assert_int_equal(source_open(&source, fd, "t.tsv", &how, NULL), ERR_OK);
    assert_int_equal(columns_find(&source->columns, "a,b", 3), 0);
    source_destroy(&source);
    close(fd);
}

static void every_format_is_complete(void **state)
{
    (void)state;
    for (const struct source_kind *const *kind = source_kinds; *kind; kind++)
        assert_true((*kind)->name && (*kind)->suffixes && (*kind)->read_prefix && (*kind)->open && (*kind)->next &&
                    (*kind)->rewind && (*kind)->consumed && (*kind)->destroy);
    for (const struct sink_kind *const *kind = sink_kinds; *kind; kind++) {
        assert_true((*kind)->suffix && (*kind)->content_type && (*kind)->write_prefix && (*kind)->begin &&
                    (*kind)->row && (*kind)->finish && (*kind)->destroy);
        assert_ptr_equal(sink_find((*kind)->name), *kind);
    }
    assert_null(sink_find("spool"));
    assert_null(sink_find("xml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ending_chooses_the_reader_of_texts),
        cmocka_unit_test(text_of_an_unknown_ending_is_csv),
        cmocka_unit_test(binary_junk_is_refused_by_its_ending),
        cmocka_unit_test(the_content_is_believed_before_the_ending),
        cmocka_unit_test(a_tsv_is_split_at_tabs),
        cmocka_unit_test(every_format_is_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
