#include "http/multipart.h"

#include "buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* What a reader saw, as one text: NAME/FILENAME{CONTENT}; with the pieces of content joined. */
struct seen {
    struct buf text;
    size_t pieces;   /* of content */
    enum err refuse; /* what the sink answers to data */
};

static enum err seen_begin(void *context, const struct multipart_part *part, struct fault *why)
{
    struct seen *self = context;
    (void)why;
    return buf_printf(&self->text, "%s/%s{", part->name, part->filename ? part->filename : "-");
}

static enum err seen_data(void *context, const char *bytes, size_t len, struct fault *why)
{
    struct seen *self = context;
    if (self->refuse != ERR_OK)
        return fault_set(why, self->refuse, "refused");
    self->pieces++;
    return buf_add(&self->text, bytes, len);
}

static enum err seen_end(void *context, struct fault *why)
{
    struct seen *self = context;
    (void)why;
    return buf_add_text(&self->text, "};");
}

/* Feeds the body in pieces cut at `cut`, or of `step` bytes when step is not 0. */
static enum err read_pieces(const char *body, size_t len, size_t cut, size_t step, struct seen *seen, struct fault *why)
{
    struct multipart reader;
    struct multipart_sink sink = {seen, seen_begin, seen_data, seen_end};
    multipart_init(&reader, "BbB", &sink);
    enum err err = ERR_OK;
    for (size_t at = 0; at < len && err == ERR_OK;) {
        size_t piece = step ? step : at < cut ? cut - at : len - at;
        if (piece > len - at)
            piece = len - at;
        err = multipart_feed(&reader, body + at, piece, why);
        at += piece;
    }
    return err == ERR_OK ? multipart_finish(&reader, why) : err;
}

static void expect(const char *body, size_t len, enum err wanted, const char *text)
{
    for (size_t cut = 0; cut <= len; cut++) {
        struct seen seen = {.text = BUF_INIT(1 << 20), .refuse = ERR_OK};
        struct fault why = {.text = ""};
        assert_int_equal(read_pieces(body, len, cut, cut == 0 ? 1 : 0, &seen, &why), wanted);
        if (text) {
            assert_int_equal(seen.text.len, strlen(text));
            assert_memory_equal(seen.text.len ? seen.text.data : "", text, seen.text.len);
        }
        if (wanted != ERR_OK)
            assert_string_not_equal(why.text, "");
        buf_fini(&seen.text);
    }
}

#define EXPECT(body, wanted, text) expect(body, sizeof(body) - 1, wanted, text)
#define PART(name)                 "--BbB\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(name, file)      "--BbB\r\nContent-Disposition: form-data; name=\"" name "\"; filename=" file "\r\n\r\n"

static void reads_fields_and_files(void **state)
{
    (void)state;
    EXPECT(PART("text") "some text\r\n" FILE_PART("file", "\"a.csv\"") "a,b\r\n1,2\r\n\r\n--BbB--\r\n", ERR_OK,
           "text/-{some text};file/a.csv{a,b\r\n1,2\r\n};");
}

static void content_may_look_like_a_boundary(void **state)
{
    (void)state;
    EXPECT(PART("f") "\r\n--Bb\r\n--\r\r\n--BbX\r\n--BbBX\r\n--BbB-x\r\n-\r\n--BbB--", ERR_OK,
           "f/-{\r\n--Bb\r\n--\r\r\n--BbX\r\n--BbBX\r\n--BbB-x\r\n-};");
}

static void content_of_one_piece_is_handed_on_at_once(void **state)
{
    (void)state;
    static const char body[] = PART("f") "\r\r\n-\r\n--\r\n--Bb\rx\r\n\r\n--BbB--";
    struct seen seen = {.text = BUF_INIT(1 << 20)};
    struct fault why = {.text = ""};
    assert_int_equal(read_pieces(body, sizeof body - 1, 0, sizeof body - 1, &seen, &why), ERR_OK);
    assert_string_equal(buf_text(&seen.text), "f/-{\r\r\n-\r\n--\r\n--Bb\rx\r\n};");
    assert_int_equal(seen.pieces, 1);
    buf_fini(&seen.text);
}

static void empty_parts_are_parts(void **state)
{
    (void)state;
    EXPECT(FILE_PART("file", "\"\"") "\r\n" PART("b") "--BbB--\r\n", ERR_OK, "file/{};b/-{};");
}

static void preamble_padding_and_epilogue_are_skipped(void **state)
{
    (void)state;
    EXPECT("for old readers\r\n--BbBnot yet\r\n--BbB \t \r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--BbB-- "
           "\r\n"
           "more\r\n--BbB\r\n",
           ERR_OK, "a/-{x};");
}

static void names_may_be_quoted_folded_or_extended(void **state)
{
    (void)state;
    EXPECT(FILE_PART("file", "\"a;\\\"b\\\\c.csv\"") "\r\n--BbB--", ERR_OK, "file/a;\"b\\c.csv{};");
    EXPECT(FILE_PART("file", "\"dir\\win.csv\"") "\r\n--BbB--", ERR_OK, "file/dir\\win.csv{};");
    EXPECT(FILE_PART("file", "plain.csv ; x=y") "\r\n--BbB--", ERR_OK, "file/plain.csv{};");
    EXPECT(FILE_PART("file", "\"f.csv\"; filename*=utf-8'en'%c3%a4.csv") "\r\n--BbB--", ERR_OK, "file/\xc3\xa4.csv{};");
    EXPECT(FILE_PART("file", "\"f.csv\"; filename*=latin1''%e4.csv") "\r\n--BbB--", ERR_OK, "file/f.csv{};");
    EXPECT("--BbB\r\ncontent-disposition:form-data;\r\n name=file;\r\n\tfilename=a\r\n\r\n\r\n--BbB--", ERR_OK,
           "file/a{};");
}

static void what_is_no_form_is_refused(void **state)
{
    (void)state;
    EXPECT("", ERR_INVALID, "");
    EXPECT("hello", ERR_INVALID, "");
    EXPECT("--other\r\n\r\n--other--\r\n", ERR_INVALID, "");
    EXPECT("--BbB\r\n\r\nx\r\n--BbB--\r\n", ERR_INVALID, "");
    EXPECT("--BbB\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--BbB--", ERR_INVALID, "");
    EXPECT("--BbB\r\nContent-Disposition: form-data\r\n\r\nx\r\n--BbB--", ERR_INVALID, "");
    EXPECT("--BbB\r\nContent-Disposition: form-data; name=\"a\x01\"\r\n\r\nx\r\n--BbB--", ERR_INVALID, "");
    EXPECT("--BbB\nContent-Disposition: form-data; name=a\n\nx\n--BbB--", ERR_INVALID, "");
    EXPECT("--BbB x\r\n", ERR_INVALID, "");
    EXPECT("--BbB\rx\r\n", ERR_INVALID, "");
}

static void every_truncation_is_noticed(void **state)
{
    (void)state;
    static const char body[] = FILE_PART("file", "\"a.csv\"") "a,b\r\n\r\n--BbB--";
    for (size_t len = 0; len < sizeof body - 1; len++)
        expect(body, len, ERR_INVALID, NULL);
    expect(body, sizeof body - 1, ERR_OK, "file/a.csv{a,b\r\n};");
}

static void limits_are_named(void **state)
{
    (void)state;
    struct buf body = BUF_INIT(1 << 20);
    struct seen seen = {.text = BUF_INIT(1 << 20), .refuse = ERR_OK};
    struct fault why = {.text = ""};
    assert_int_equal(buf_add_text(&body, "--BbB\r\nX: "), ERR_OK);
    while (body.len < MULTIPART_HEADER_MAX + 100)
        assert_int_equal(buf_add_byte(&body, 'x'), ERR_OK);
    assert_int_equal(read_pieces(body.data, body.len, 0, 1000, &seen, &why), ERR_TOO_LARGE);
    buf_clear(&body);
    for (int i = 0; i <= MULTIPART_PARTS_MAX; i++)
        assert_int_equal(buf_add_text(&body, PART("a") "\r\n"), ERR_OK);
    assert_int_equal(read_pieces(body.data, body.len, 0, 1000, &seen, &why), ERR_TOO_LARGE);
    buf_clear(&body);
    assert_int_equal(buf_add_text(&body, "--BbB"), ERR_OK);
    for (int i = 0; i <= MULTIPART_PADDING_MAX; i++)
        assert_int_equal(buf_add_byte(&body, ' '), ERR_OK);
    assert_int_equal(read_pieces(body.data, body.len, 0, 1000, &seen, &why), ERR_INVALID);
    buf_fini(&body);
    buf_fini(&seen.text);
}

static void an_error_of_the_sink_sticks(void **state)
{
    (void)state;
    static const char body[] = PART("a") "x\r\n--BbB--";
    struct seen seen = {.text = BUF_INIT(1 << 20), .refuse = ERR_NO_SPACE};
    struct fault why = {.text = ""};
    struct multipart reader;
    struct multipart_sink sink = {&seen, seen_begin, seen_data, seen_end};
    multipart_init(&reader, "BbB", &sink);
    assert_int_equal(multipart_feed(&reader, body, sizeof body - 1, &why), ERR_NO_SPACE);
    assert_int_equal(multipart_feed(&reader, body, sizeof body - 1, &why), ERR_INVALID);
    assert_int_equal(multipart_finish(&reader, &why), ERR_INVALID);
    buf_fini(&seen.text);
}

static void boundaries_are_checked(void **state)
{
    (void)state;
    char boundary[MULTIPART_BOUNDARY_MAX + 1];
    struct fault why = {.text = ""};
    static const struct {
        const char *type;
        enum err err;
        const char *boundary;
    } cases[] = {
        {"multipart/form-data; boundary=BbB", ERR_OK, "BbB"},
        {"Multipart/Form-Data;charset=utf-8; Boundary=\"a b\"; x=y", ERR_OK, "a b"},
        {"multipart/form-data; boundary=BbB; charset=utf-8", ERR_OK, "BbB"},
        {NULL, ERR_UNSUPPORTED, NULL},
        {"application/json", ERR_UNSUPPORTED, NULL},
        {"multipart/form-data", ERR_INVALID, NULL},
        {"multipart/form-data; boundary=", ERR_INVALID, NULL},
        {"multipart/form-data; boundary=\"\"", ERR_INVALID, NULL},
        {"multipart/form-data; boundary=\"a \"", ERR_INVALID, NULL},
        {"multipart/form-data; boundary=a[b", ERR_INVALID, NULL},
        {"multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789x",
         ERR_INVALID, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(multipart_boundary(cases[i].type, boundary, &why), cases[i].err);
        if (cases[i].boundary)
            assert_string_equal(boundary, cases[i].boundary);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields_and_files),
        cmocka_unit_test(content_may_look_like_a_boundary),
        cmocka_unit_test(content_of_one_piece_is_handed_on_at_once),
        cmocka_unit_test(empty_parts_are_parts),
        cmocka_unit_test(preamble_padding_and_epilogue_are_skipped),
        cmocka_unit_test(names_may_be_quoted_folded_or_extended),
        cmocka_unit_test(what_is_no_form_is_refused),
        cmocka_unit_test(every_truncation_is_noticed),
        cmocka_unit_test(limits_are_named),
        cmocka_unit_test(an_error_of_the_sink_sticks),
        cmocka_unit_test(boundaries_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
