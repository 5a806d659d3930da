#include "table_text.h"

#define P "Failed to read CSV file: "

static void check_bytes(const char *bytes, size_t len, char delimiter, const char *expected)
{
    int fd = table_file(bytes, len);
    for (uint32_t block = 0; block <= len + 8 && block < 200; block++) {
        struct read_options how = {.delimiter = delimiter, .block_bytes = block};
        char *got = table_show(&csv_source, fd, &how);
        if (strcmp(got, expected) != 0)
            fail_msg("blocks of %u bytes: '%s' was read as '%s', not '%s'", block, bytes, got, expected);
        free(got);
    }
    close(fd);
}

static void check(const char *text, const char *expected)
{
    check_bytes(text, strlen(text), '\0', expected);
}

/* For texts with NUL bytes in them. */
#define CHECK_LITERAL(literal, delimiter, expected) check_bytes(literal, sizeof(literal) - 1, delimiter, expected)

static void plain_tables_are_read(void **state)
{
    (void)state;
    check("a,b,c\n1,2,3\n4,5,6\n", "a|b|c\n1|2|3\n4|5|6\n");
    check("a,b,c\n1,2,3\n4,5,6", "a|b|c\n1|2|3\n4|5|6\n");
    check("a,b\r\n1,2\r\n3,4\r\n", "a|b\n1|2\n3|4\n");
    check("a,b\r1,2\r3,4\r", "a|b\n1|2\n3|4\n");
    check("a,b\r1,2\r3,4", "a|b\n1|2\n3|4\n");
    check("a,b\n", "a|b\n");
    check("a,b", "a|b\n");
    check("one\n1\n2\n", "one\n1\n2\n");
    check("a,b\n,\n1,\n,2\n", "a|b\n|\n1|\n|2\n");
    check("a,b\n NA ,null\nNaN, x \n", "a|b\n NA |null\nNaN| x \n");
}

static void cells_longer_than_a_stride_are_read(void **state)
{
    (void)state;
    char text[400] = "a,b\n", expected[400] = "a|b\n";
    memset(text + 4, 'x', 190);
    memset(expected + 4, 'x', 190);
    strcat(text, ",2\n3,");
    strcat(expected, "|2\n3|");
    memset(text + strlen(text), 'y', 64);
    memset(expected + strlen(expected), 'y', 64);
    strcat(expected, "\n");
    check(text, expected);
}

static void quotes_follow_the_contract(void **state)
{
    (void)state;
    check("a,b\n\"x,y\",2\n", "a|b\nx,y|2\n");
    check("a,b\n\"x\"\"y\",2\n", "a|b\nx\"y|2\n");
    check("a,b\n\"\"\"\",\"\"\n", "a|b\n\"|\n");
    check("a,b\n\"x\ny\",2\n3,4\n", "a|b\nx\ny|2\n3|4\n");
    check("a,b\n\"x\r\ny\",2\r\n3,4\r\n", "a|b\nx\r\ny|2\n3|4\n");
    check("a,b\nx\"y\"z,2\n", "a|b\nx\"y\"z|2\n");
    check("a,b\n \"q\",2\n", "a|b\n \"q\"|2\n");
    check("a,b\n\"p\"r,2\n", "a|b\npr|2\n");
    check("a,b\n\"p\"r\"s\",2\n", "a|b\npr\"s\"|2\n");
    check("a,b\n\"p\"\"q\"r,2\n", "a|b\np\"qr|2\n");
    check("a,b\n\"p\" ,\"\"x\n", "a|b\np |x\n");
    check("a,b\n1,\"2\"", "a|b\n1|2\n");
    check("\"a b\",\"c\"\"d\"\n1,2\n", "a b|c\"d\n1|2\n");
    check("a,b\n\"1\",\"2\"\r\n\"3\",\"4\"\r\n", "a|b\n1|2\n3|4\n");
}

static void an_open_quote_is_an_error(void **state)
{
    (void)state;
    check("a,b\n\"x,2\n", "a|b\n!" P "Error tokenizing data. C error: EOF inside string starting at row 1");
    check("a,b\n1,2\n3,\"", "a|b\n1|2\n!" P "Error tokenizing data. C error: EOF inside string starting at row 2");
    check("\"a", "!" P "Error tokenizing data. C error: EOF inside string starting at row 0");
    check("a\n\"x\"\"", "a\n!" P "Error tokenizing data. C error: EOF inside string starting at row 1");
}

static void blank_lines_are_skipped(void **state)
{
    (void)state;
    check("\n\na,b\n\n1,2\n   \n3,4\n\t\n \t ", "a|b\n1|2\n3|4\n");
    check("a\n\n1\n\r\n \r\n2\n", "a\n1\n2\n");
    check("a\n\"\"\n1\n\" \"\n", "a\n\n1\n \n");
    check("a,b\n  ,\n", "a|b\n  |\n");
    CHECK_LITERAL("a\tb\n\t\n1\t2\n", '\t', "a|b\n|\n1|2\n");
}

static void short_rows_are_padded_and_long_rows_refused(void **state)
{
    (void)state;
    check("a,b,c\n1\n1,2\n\"x\"\n", "a|b|c\n1||\n1|2|\nx||\n");
    check("a,b,c\n1,2,3\n1,2,3,4\n",
          "a|b|c\n1|2|3\n!" P "Error tokenizing data. C error: Expected 3 fields in line 3, saw 4");
    check("a,b\n\n\"1\n\",2\n1,2,\"3\"\"\",4\n",
          "a|b\n1\n|2\n!" P "Error tokenizing data. C error: Expected 2 fields in line 5, saw 4");
    check("a,b\n1,2,3\n4,5,6\n", "a|b\n!" P "Error tokenizing data. C error: Expected 2 fields in line 2, saw 3");
}

static void a_file_without_columns_is_an_error(void **state)
{
    (void)state;
    check("", "!" P "No columns to parse from file");
    check("\n \n\r\n", "!" P "No columns to parse from file");
    check("\xEF\xBB\xBF", "!" P "No columns to parse from file");
}

static void names_are_made_unique(void **state)
{
    (void)state;
    check("a,,a,\"\",a,b\n1,2,3,4,5,6\n", "a|Unnamed: 1|a.1|Unnamed: 3|a.2|b\n1|2|3|4|5|6\n");
}

static void the_delimiter_is_sniffed(void **state)
{
    (void)state;
    check("a;b;c\n1,5;2,5;3\n4;5;6\n", "a|b|c\n1,5|2,5|3\n4|5|6\n");
    check("a\tb\n1\t2\n", "a|b\n1|2\n");
    check("a|b\n1|2\n", "a|b\n1|2\n");
    check("a,b;c\n1,2;3\n", "a|b;c\n1|2;3\n");
    check("\"a;b\",c\n1,2\n", "a;b|c\n1|2\n");
    check("a,b c;d\n1;2\n3;4\n", "a,b c|d\n1|2\n3|4\n");
    check("note\nx;y\n", "note\nx;y\n");
    CHECK_LITERAL("a,b;c\n1,2;3\n", ';', "a,b|c\n1,2|3\n");
}

static void encodings_are_told_apart(void **state)
{
    (void)state;
    check("\xEF\xBB\xBF"
          "a,b\n\xC3\xA9,2\n",
          "a|b\n\xC3\xA9|2\n");
    check("a,b\n\xF0\x9F\x98\x80,\xE2\x82\xAC\n", "a|b\n\xF0\x9F\x98\x80|\xE2\x82\xAC\n");
    check("a,b\n\x80"
          "5,caf\xE9\n",
          "a|b\n\xE2\x82\xAC"
          "5|caf\xC3\xA9\n");
    check("a,b\n\x81"
          "5,caf\xE9\x80\n",
          "a|b\n\xC2\x81"
          "5|caf\xC3\xA9\xC2\x80\n");
    check("a,b\n\xC3\xA9,\xE9\n", "a|b\n\xC3\x83\xC2\xA9|\xC3\xA9\n");
    check("a,b\n1,\xC3", "a|b\n1|\xC3\x83\n");
    CHECK_LITERAL("\xFF\xFE"
                  "a\0,\0\xAC\x20\n\0"
                  "1\0,\0\x3D\xD8\x00\xDE\n\0",
                  '\0', "a|\xE2\x82\xAC\n1|\xF0\x9F\x98\x80\n");
    CHECK_LITERAL("\xFE\xFF\0a\0,\0b\0\n\0"
                  "1\0,\x20\xAC\0\n",
                  '\0', "a|b\n1|\xE2\x82\xAC\n");
    CHECK_LITERAL("\xFE\xFF\0a\0\n\xD8\x3D\0x\0", '\0', "a\n\xEF\xBF\xBDx\xEF\xBF\xBD\n");
}

static void a_nul_byte_is_an_error(void **state)
{
    (void)state;
    CHECK_LITERAL("a\0b,c\n1,2\n", '\0', "!" P "line 1 holds a NUL byte");
    static const char late[] = "a,b\n1,2\n3,\0\n";
    int fd = table_file(late, sizeof late - 1);
    struct read_options how = {.block_bytes = 4};
    char *got = table_show(&csv_source, fd, &how);
    assert_non_null(strstr(got, "!" P "line 3 holds a NUL byte"));
    free(got);
    close(fd);
}

static void check_too_large(const char *head, size_t fill, const char *expected)
{
    size_t len = strlen(head);
    char *text = malloc(len + fill);
    table_must(text != NULL);
    memcpy(text, head, len);
    memset(text + len, 'x', fill);
    int fd = table_file(text, len + fill);
    char *got = table_show(&csv_source, fd, NULL);
    assert_non_null(strstr(got, expected));
    free(got);
    free(text);
    close(fd);
}

static void endless_cells_are_refused(void **state)
{
    (void)state;
    check_too_large("", 20u << 20, "!" P "line 1 holds a cell of more than 8388608 bytes");
    check_too_large("a,b\n1,2\n3,\"", 20u << 20, "!" P "line 3 holds a cell of more than 8388608 bytes");
}

static void endless_records_and_too_many_columns_are_refused(void **state)
{
    (void)state;
    size_t len = 80u << 20;
    char *text = malloc(len);
    table_must(text != NULL);
    for (size_t i = 0; i < len; i++)
        text[i] = i % 1000000 == 0 ? ',' : 'x';
    int fd = table_file(text, len);
    char *got = table_show(&csv_source, fd, &(struct read_options){.delimiter = ','});
    assert_string_equal(got, "!" P "line 1 holds a record of more than 67108864 bytes");
    free(got);
    close(fd);
    memset(text, ',', 1000000);
    fd = table_file(text, 1000000);
    got = table_show(&csv_source, fd, NULL);
    assert_string_equal(got, "!" P "line 1 has 1000001 columns; the limit is 16384");
    free(got);
    free(text);
    close(fd);
}

/* Random tables of hard cells, written by hand as CSV with random line ends, come back cell by cell. */
static void random_tables_come_back(void **state)
{
    (void)state;
    static const char bytes[] = "ab ,\"\n\r;\t";
    uint32_t seed = 1;
    for (int round = 0; round < 300; round++) {
        struct buf text = BUF_INIT(1u << 20), expected = BUF_INIT(1u << 20);
        table_must(buf_add_text(&text, "p,q,r\n") == ERR_OK && buf_add_text(&expected, "p|q|r\n") == ERR_OK);
        for (int i = 0; i < 24; i++) {
            seed = seed * 1664525u + 1013904223u;
            uint32_t len = seed >> 16 & 7;
            table_must(buf_add_byte(&text, '"') == ERR_OK);
            for (uint32_t k = 0; k < len; k++) {
                seed = seed * 1664525u + 1013904223u;
                char c = bytes[(seed >> 16) % (sizeof bytes - 1)];
                table_must(buf_add(&text, c == '"' ? "\"\"" : &c, c == '"' ? 2 : 1) == ERR_OK);
                table_must(buf_add_byte(&expected, (uint8_t)c) == ERR_OK);
            }
            bool last = i % 3 == 2;
            table_must(buf_add_text(&text, !last ? "\"," : seed & 512 ? "\"\r\n" : "\"\n") == ERR_OK);
            table_must(buf_add_byte(&expected, last ? '\n' : '|') == ERR_OK);
        }
        int fd = table_file(text.data, text.len);
        struct read_options how = {.delimiter = ',', .block_bytes = (uint32_t)round % 97 + 1};
        char *got = table_show(&csv_source, fd, &how);
        assert_string_equal(got, buf_text(&expected));
        free(got);
        close(fd);
        buf_fini(&text);
        buf_fini(&expected);
    }
}

/* A file that gets shorter while it is read gives fewer rows or an error, never a signal. */
static void a_file_that_shrinks_does_no_harm(void **state)
{
    (void)state;
    char text[4096];
    for (size_t i = 0; i < sizeof text; i += 4)
        memcpy(text + i, "1,2\n", 4);
    int fd = table_file(text, sizeof text);
    struct source *source;
    struct fault why;
    struct read_options how = {.block_bytes = 64};
    assert_int_equal(csv_source.open(&source, fd, &how, &why), ERR_OK);
    assert_int_equal(ftruncate(fd, 100), 0);
    struct row row;
    enum err err;
    while ((err = source_next(source, &row, &why)) == ERR_OK)
        assert_true(row.number < 1000);
    assert_int_equal(err, ERR_END);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(source_rewind(source, &why), ERR_IO);
    source_destroy(&source);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_tables_are_read),
        cmocka_unit_test(cells_longer_than_a_stride_are_read),
        cmocka_unit_test(quotes_follow_the_contract),
        cmocka_unit_test(an_open_quote_is_an_error),
        cmocka_unit_test(blank_lines_are_skipped),
        cmocka_unit_test(short_rows_are_padded_and_long_rows_refused),
        cmocka_unit_test(a_file_without_columns_is_an_error),
        cmocka_unit_test(names_are_made_unique),
        cmocka_unit_test(the_delimiter_is_sniffed),
        cmocka_unit_test(encodings_are_told_apart),
        cmocka_unit_test(a_nul_byte_is_an_error),
        cmocka_unit_test(endless_cells_are_refused),
        cmocka_unit_test(endless_records_and_too_many_columns_are_refused),
        cmocka_unit_test(random_tables_come_back),
        cmocka_unit_test(a_file_that_shrinks_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
