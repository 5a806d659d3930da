#include "compound_build.h"
#include "step_case.h"

#include <fcntl.h>

/* Records by hand: a stream of BIFF8. */
struct biff {
    unsigned char bytes[65536];
    size_t len;
};

static void put(struct biff *self, uint16_t type, const void *data, size_t len)
{
    unsigned char head[] = {(unsigned char)type, (unsigned char)(type >> 8), (unsigned char)len,
                            (unsigned char)(len >> 8)};
    assert_true(self->len + 4 + len <= sizeof self->bytes);
    memcpy(self->bytes + self->len, head, 4);
    memcpy(self->bytes + self->len + 4, data, len);
    self->len += 4 + len;
}

#define PUT(biff, type, data) put(biff, type, data, sizeof data - 1)
#define BOF_GLOBALS           "\0\6\5\0"
#define BOF_SHEET             "\0\6\x10\0"
#define SHEET_AT              31 /* bytes of begin() */

static void begin(struct biff *self)
{
    self->len = 0;
    PUT(self, 0x809, BOF_GLOBALS);
    PUT(self, 0x85, "\x1F\0\0\0\0\0\1\0S");
    PUT(self, 0x0A, "");
    while (self->len < SHEET_AT)
        self->bytes[self->len++] = 0;
    PUT(self, 0x809, BOF_SHEET);
}

static int file_of(struct biff *self)
{
    PUT(self, 0x0A, "");
    return compound_build(self->bytes, self->len);
}

static void reads(int fd, const char *sheet, const char *table)
{
    struct source *source;
    struct fault why = {.text = ""};
    struct read_options how = {.sheet = sheet};
    char got[16384];
    if (source_open(&source, fd, "t.xls", &how, &why) != ERR_OK)
        fail_msg("%s", why.text);
    for (int pass = 0; pass < 2; pass++) {
        size_t used = step_case_cells(got, sizeof got, source->columns.name, source->columns.count);
        struct row row;
        enum err err;
        uint64_t done, total;
        while ((err = source_next(source, &row, &why)) == ERR_OK)
            used += step_case_cells(got + used, sizeof got - used, row.cell, row.count);
        assert_int_equal(err, ERR_END);
        assert_string_equal(got, table);
        source_consumed(source, &done, &total);
        assert_true(done <= total);
        assert_int_equal(source_rewind(source, &why), ERR_OK);
    }
    source_destroy(&source);
    close(fd);
}

static void refuses(int fd, const char *sheet, const char *text)
{
    struct source *source;
    struct fault why = {.text = ""};
    struct read_options how = {.sheet = sheet};
    assert_int_not_equal(source_open(&source, fd, "t.xls", &how, &why), ERR_OK);
    assert_null(source);
    if (!strstr(why.text, text))
        fail_msg("'%s' is not in '%s'", text, why.text);
    close(fd);
}

static int open_data(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void a_workbook_of_another_program_is_read(void **state)
{
    (void)state;
    char long_text[9001], table[16384];
    memset(long_text, 'x', 9000);
    long_text[9000] = '\0';
    snprintf(table, sizeof table,
             "id|name|amount|day|moment|clock|flag|Unnamed: 7|id.1\n"
             "1|Zo\xC3\xAB \xE6\x9D\x8E|1.5|2024-01-15 00:00:00|2024-01-15 10:30:05|12:30:00|True||\n"
             "2|  =SUM(A1) |100000000000000000000|1900-02-28 00:00:00|2023-03-15 06:00:00|1900-01-01 12:00:00|||\n"
             "||||||||\n"
             "007|%s|-12345678.125|1e-07|123456789012|||1000000000000000|\n",
             long_text);
    reads(open_data("mixed.xls"), NULL, table);
    reads(open_data("mixed.xls"), "Second", "a\nb\n");
    reads(open_data("mixed.xls"), "1", "a\nb\n");
    reads(open_data("date1904.xls"), NULL, "day\n1904-01-02 00:00:00\n1904-01-02 12:00:00\n");
    refuses(open_data("mixed.xls"), "Third", "Worksheet 'Third' not found. Available sheets: First, Second");
}

static void every_kind_of_cell_is_read(void **state)
{
    (void)state;
    struct biff biff;
    begin(&biff);
    PUT(&biff, 0x204, "\0\0\0\0\0\0\1\0\0a");                             /* LABEL */
    PUT(&biff, 0x204, "\0\0\1\0\0\0\2\0\1\x3D\xD8\x00\xDE");              /* a pair of two units */
    PUT(&biff, 0xBD, "\1\0\0\0\0\0\x0E\0\0\0\0\0\x07\xE0\xFF\xFF\1\0");   /* MULRK: 3, -20.47 */
    PUT(&biff, 0x205, "\2\0\0\0\0\0\0\0");                                /* False */
    PUT(&biff, 0x205, "\2\0\1\0\0\0\x07\1");                              /* an error value */
    PUT(&biff, 0x06, "\3\0\0\0\0\0\0\0\0\0\0\0\xFF\xFF\0\0\0\0\0\0\0\0"); /* a formula that is a text ... */
    PUT(&biff, 0x221, "");                                                /* ... */
    PUT(&biff, 0x207, "\3\0\0sum");                                       /* ... which comes here */
    PUT(&biff, 0x06, "\3\0\1\0\0\0\1\0\1\0\0\0\xFF\xFF\0\0\0\0\0\0\0\0"); /* True */
    PUT(&biff, 0x809, BOF_SHEET);                                         /* a chart within the sheet */
    PUT(&biff, 0x204, "\0\0\0\0\0\0\1\0\0z");
    PUT(&biff, 0x0A, "");
    PUT(&biff, 0x06, "\4\0\0\0\0\0\0\0\0\0\0\0\x04\x40\0\0\0\0\0\0\0\0"); /* 2.5 */
    PUT(&biff, 0x27E, "\4\0\1\0\0\0\0\0\xF0\x3F");                        /* RK: 1.0 */
    PUT(&biff, 0x204, "\6\0\0\0\0\0\0\0\0");                              /* empty: the row does not count */
    reads(file_of(&biff), NULL, "a|\xF0\x9F\x98\x80\n3|-20.47\nFalse|\nsum|True\n2.5|1\n");
}

static void a_text_goes_on_in_the_next_record(void **state)
{
    (void)state;
    struct biff biff;
    biff.len = 0;
    PUT(&biff, 0x809, BOF_GLOBALS);
    size_t sheet = biff.len + 4;
    PUT(&biff, 0x85, "\0\0\0\0\0\0\1\0S");
    PUT(&biff, 0xFC, "\2\0\0\0\2\0\0\0\4\0\x0D\1\0\2\0\0\0\xE4\0\xF6\0"); /* wide, a run, two bytes more */
    PUT(&biff, 0x3C, "\0uu\1\2");                                         /* here one byte a character; half a run */
    PUT(&biff, 0x3C, "\3\4ee\1\0\0b");
    PUT(&biff, 0x0A, "");
    biff.bytes[sheet] = (unsigned char)biff.len;
    PUT(&biff, 0x809, BOF_SHEET);
    PUT(&biff, 0xFD, "\0\0\0\0\0\0\0\0\0\0");
    PUT(&biff, 0xFD, "\1\0\0\0\0\0\1\0\0\0");
    reads(file_of(&biff), NULL, "\xC3\xA4\xC3\xB6uu\nb\n");
}

static void a_table_of_empty_texts_has_no_bytes(void **state)
{
    (void)state;
    struct biff biff;
    biff.len = 0;
    PUT(&biff, 0x809, BOF_GLOBALS);
    size_t sheet = biff.len + 4;
    PUT(&biff, 0x85, "\0\0\0\0\0\0\1\0S");
    PUT(&biff, 0xFC, "\1\0\0\0\1\0\0\0\0\0\0");
    PUT(&biff, 0x0A, "");
    biff.bytes[sheet] = (unsigned char)biff.len;
    PUT(&biff, 0x809, BOF_SHEET);
    PUT(&biff, 0xFD, "\0\0\0\0\0\0\0\0\0\0");
    PUT(&biff, 0x204, "\0\0\1\0\0\0\1\0\0a");
    reads(file_of(&biff), NULL, "Unnamed: 0|a\n");
}

static void damaged_files_are_refused_in_words(void **state)
{
    (void)state;
    struct biff biff;
    begin(&biff);
    PUT(&biff, 0xFD, "\0\0\0\0\0\0\7\0\0\0");
    refuses(file_of(&biff), NULL,
            "Failed to read Excel file: row 1: the workbook is damaged: a cell's text does not exist");
    begin(&biff);
    PUT(&biff, 0x204, "\0\0\0\0\0\0\x09\0\0a");
    refuses(file_of(&biff), NULL, "a record is cut off");
    begin(&biff);
    PUT(&biff, 0x27E, "\0\0\0\0");
    refuses(file_of(&biff), NULL, "a cell is cut off");
    begin(&biff);
    PUT(&biff, 0x27E, "\0\0\0\1\0\0\0\0\xF0\x3F");
    refuses(file_of(&biff), NULL, "it has a column 257");
    begin(&biff);
    PUT(&biff, 0x27E, "\5\0\0\0\0\0\0\0\xF0\x3F");
    PUT(&biff, 0x27E, "\4\0\0\0\0\0\0\0\xF0\x3F");
    refuses(file_of(&biff), NULL, "row 5 comes after row 6");
    begin(&biff);
    biff.bytes[5] = 5;
    refuses(file_of(&biff), NULL, "Excel 95 or older");
    biff.len = 0;
    PUT(&biff, 0x809, BOF_GLOBALS);
    PUT(&biff, 0x2F, "\1\0");
    refuses(file_of(&biff), NULL, "protected by a password");
    refuses(compound_build("", 0), NULL, "it has no beginning");
    refuses(compound_build_named("x", 1, "EncryptedPackage"), NULL, "protected by a password");
    refuses(compound_build_named("x", 1, "WordDocument"), NULL, "the file has no workbook in it");
}

/* Wherever the file ends, it is read or refused. */
static void a_cut_off_file_ends_in_words(void **state)
{
    (void)state;
    int fd = open_data("mixed.xls");
    static char bytes[65536];
    ssize_t len = pread(fd, bytes, sizeof bytes, 0);
    assert_true(len > 0);
    close(fd);
    for (ssize_t cut = 8; cut < len; cut += 97) {
        struct source *source;
        struct fault why = {.text = ""};
        int part = step_case_file_of(bytes, (size_t)cut);
        enum err err = source_open(&source, part, "t.xls", NULL, &why);
        if (err == ERR_OK)
            source_destroy(&source);
        else
            assert_non_null(strstr(why.text, "Failed to read Excel file: "));
        close(part);
    }
}

static void a_chain_that_goes_in_circles_ends(void **state)
{
    (void)state;
    static unsigned char stream[8192];
    int fd = compound_build(stream, sizeof stream);
    unsigned char sector[4] = {2}; /* the data's third sector leads back to its first */
    assert_int_equal(pwrite(fd, sector, 4, 512 + 4 * 4), 4);
    refuses(fd, NULL, "goes in circles");
    fd = compound_build(stream, sizeof stream);
    unsigned char far[4] = {0xFF, 0xFF, 0xFF, 0x7F};
    assert_int_equal(pwrite(fd, far, 4, 512 + 4 * 4), 4);
    refuses(fd, NULL, "leaves the file");
    fd = compound_build(stream, sizeof stream);
    assert_int_equal(pwrite(fd, far, 4, 44), 4);
    refuses(fd, NULL, "its sector table is larger than the file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_workbook_of_another_program_is_read), cmocka_unit_test(every_kind_of_cell_is_read),
        cmocka_unit_test(a_text_goes_on_in_the_next_record),     cmocka_unit_test(a_table_of_empty_texts_has_no_bytes),
        cmocka_unit_test(damaged_files_are_refused_in_words),    cmocka_unit_test(a_cut_off_file_ends_in_words),
        cmocka_unit_test(a_chain_that_goes_in_circles_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
