#include "table/encoding.h"

#include "table_text.h"

static void check_bytes(const char *bytes, size_t len, enum encoding encoding, const char *expected)
{
    int fd = table_file(bytes, len);
    struct encoding_reader *reader = malloc(sizeof *reader);
    table_must(reader != NULL);
    for (size_t room = 4; room < 40; room++) {
        struct buf out = BUF_INIT(1u << 20);
        struct fault why;
        char part[40];
        size_t got = 1;
        uint64_t before = 0;
        assert_int_equal(encoding_open(reader, fd, &why), ERR_OK);
        for (int pass = 0; pass < 2; pass++) {
            buf_clear(&out);
            for (got = 1; got > 0;) {
                assert_int_equal(encoding_read(reader, part, room, &got, &why), ERR_OK);
                assert_true(got <= room);
                table_must(buf_add(&out, part, got) == ERR_OK);
                assert_in_range(encoding_consumed(reader), before, len);
                before = encoding_consumed(reader);
            }
            assert_string_equal(buf_text(&out), expected);
            assert_int_equal(encoding_consumed(reader), len);
            assert_int_equal(reader->encoding, encoding);
            encoding_rewind(reader);
            before = 0;
        }
        buf_fini(&out);
    }
    free(reader);
    close(fd);
}

#define CHECK(literal, encoding, expected) check_bytes(literal, sizeof(literal) - 1, encoding, expected)

static void byte_order_marks_decide(void **state)
{
    (void)state;
    CHECK("\xEF\xBB\xBFx\xC3\xA9", ENCODING_UTF8, "x\xC3\xA9");
    CHECK("\xFF\xFEx\0\xAC\x20", ENCODING_UTF16LE, "x\xE2\x82\xAC");
    CHECK("\xFE\xFF\0x\x20\xAC\xD8\x3D\xDE\0", ENCODING_UTF16BE, "x\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK("\xFE\xFF\xDE\0\0x\xD8\x3D", ENCODING_UTF16BE, "\xEF\xBF\xBDx\xEF\xBF\xBD");
    CHECK("\xFF\xFEx\0y", ENCODING_UTF16LE, "x\xEF\xBF\xBD");
}

static void without_a_mark_validity_decides(void **state)
{
    (void)state;
    CHECK("", ENCODING_ASCII_SO_FAR, "");
    CHECK("just plain text, longer than one step of forty bytes", ENCODING_ASCII_SO_FAR,
          "just plain text, longer than one step of forty bytes");
    CHECK("caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", ENCODING_UTF8, "caf\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
    CHECK("caf\xE9 \x80", ENCODING_CP1252, "caf\xC3\xA9 \xE2\x82\xAC");
    CHECK("caf\xC3\xA9 and then, much later, a byte that is \xE9 alone", ENCODING_CP1252,
          "caf\xC3\x83\xC2\xA9 and then, much later, a byte that is \xC3\xA9 alone");
    CHECK("\x8F\x80", ENCODING_LATIN1, "\xC2\x8F\xC2\x80");
    CHECK("x\xE2\x82", ENCODING_CP1252, "x\xC3\xA2\xE2\x80\x9A");
}

static void utf16_without_a_mark_is_guessed(void **state)
{
    (void)state;
    CHECK("a\0,\0\xE9\0\n\0", ENCODING_UTF16LE, "a,\xC3\xA9\n");
    CHECK("\0a\0,\0\xE9\0\n", ENCODING_UTF16BE, "a,\xC3\xA9\n");
    CHECK("\x0D\x54,\0W[\n\0=\xD8\0\xDE\n\0", ENCODING_UTF16LE, "\xE5\x90\x8D,\xE5\xAD\x97\n\xF0\x9F\x98\x80\n");
}

static void nul_bytes_alone_are_no_utf16(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"a\0\0b", 4},  /* as many on both sides */
        {"a\0\1\0", 4}, /* a control character */
        {"a\0=\xD8"
         "b\0",
         6}, /* half a character */
        {"a\0\xFE\xFF"
         "b\0",
         6},                      /* no character */
        {"a,b\n1,2\n3,\0\n", 12}, /* one of six pairs: a damaged file */
        {"a\0b\n", 4},            /* without a line end */
        {"abcd", 4},
        {"", 0},
    };
    enum encoding guess;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(encoding_guess_utf16((const unsigned char *)cases[i].bytes, cases[i].len, &guess));
}

static void validity_is_that_of_rfc_3629(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t valid;
    } cases[] = {
        {"abc", 3},
        {"\xC0\x80", 0},
        {"\xC1\xBF", 0},
        {"\xC2\x80", 2},
        {"\xDF\xBF", 2},
        {"\xE0\x9F\xBF", 0},
        {"\xE0\xA0\x80", 3},
        {"\xED\x9F\xBF", 3},
        {"\xED\xA0\x80", 0},
        {"\xEF\xBF\xBF", 3},
        {"\xF0\x8F\xBF\xBF", 0},
        {"\xF0\x90\x80\x80", 4},
        {"\xF4\x8F\xBF\xBF", 4},
        {"\xF4\x90\x80\x80", 0},
        {"\xF5\x80\x80\x80", 0},
        {"a\x80", 1},
        {"ab\xE2\x82", 2},
        {"ab\xE2\x28\xA1", 2},
        {"\xFF", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(encoding_valid_utf8(cases[i].text, strlen(cases[i].text)), cases[i].valid);
}

/* The look through the rest of the file goes over many blocks, with characters cut at their ends. */
static void a_large_file_is_looked_through_to_its_end(void **state)
{
    (void)state;
    size_t len = 3 * ENCODING_RAW_BYTES + 1;
    char *text = malloc(len + 1);
    table_must(text != NULL);
    for (int last = 0; last < 2; last++) {
        text[0] = 'x';
        for (size_t i = 1; i + 2 < len + 1; i += 3)
            memcpy(text + i, "\xE2\x82\xAC", 3);
        text[len] = '\xE9';
        int fd = table_file(text, len + (size_t)last);
        struct encoding_reader *reader = malloc(sizeof *reader);
        table_must(reader != NULL);
        char part[64];
        size_t got;
        assert_int_equal(encoding_open(reader, fd, NULL), ERR_OK);
        assert_int_equal(encoding_read(reader, part, sizeof part, &got, NULL), ERR_OK);
        assert_int_equal(reader->encoding, last ? ENCODING_CP1252 : ENCODING_UTF8);
        free(reader);
        close(fd);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_order_marks_decide),         cmocka_unit_test(without_a_mark_validity_decides),
        cmocka_unit_test(utf16_without_a_mark_is_guessed), cmocka_unit_test(nul_bytes_alone_are_no_utf16),
        cmocka_unit_test(validity_is_that_of_rfc_3629),    cmocka_unit_test(a_large_file_is_looked_through_to_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
