#include "json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_string(const char *text, size_t len, const char *expected)
{
    struct buf out = BUF_INIT(1000);
    assert_int_equal(json_text_string(&out, text, len), ERR_OK);
    assert_string_equal(buf_text(&out), expected);
    buf_fini(&out);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    check_string("", 0, "\"\"");
    check_string("plain", 5, "\"plain\"");
    check_string("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    check_string("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    check_string("\0\x01\x1f", 3, "\"\\u0000\\u0001\\u001f\"");
    check_string("\xC3\xA4/\x7f", 4, "\"\xC3\xA4/\x7f\"");
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    (void)state;
    check_string("a\xFFz", 3, "\"a\xEF\xBF\xBDz\"");
    check_string("\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    check_string("\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

/* Strings of every length around the eight bytes that are passed together, and each byte at every place. */
static void a_byte_that_needs_an_escape_gets_it_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t len = 1; len < 20; len++)
        for (size_t odd = 0; odd < len; odd++)
            for (int c = 1; c < 256; c++) {
                char text[32] = {0}, alone[20], expected[64];
                memset(text, 'a', len);
                text[odd] = (char)c;
                struct buf one = BUF_INIT(20), out = BUF_INIT(100);
                assert_int_equal(json_text_string(&one, text + odd, 1), ERR_OK);
                memcpy(alone, buf_text(&one), one.len + 1);
                sprintf(expected, "\"%.*s%.*s%s\"", (int)odd, text, (int)one.len - 2, alone + 1, text + odd + 1);
                assert_int_equal(json_text_string(&out, text, len), ERR_OK);
                assert_string_equal(buf_text(&out), expected);
                buf_clear(&out);
                assert_int_equal(json_text_member(&out, "k", text), ERR_OK);
                assert_memory_equal(buf_text(&out), "\"k\":", 4);
                assert_string_equal(buf_text(&out) + 4, expected);
                buf_fini(&one);
                buf_fini(&out);
            }
}

static void members_are_separated_by_commas(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    assert_int_equal(buf_add_byte(&out, '{'), ERR_OK);
    assert_int_equal(json_text_member(&out, "type", "pong"), ERR_OK);
    assert_int_equal(json_text_member_int(&out, "n", INT64_MIN), ERR_OK);
    assert_int_equal(json_text_member_raw(&out, "raw", "[1]", 3), ERR_OK);
    assert_int_equal(buf_add_byte(&out, '}'), ERR_OK);
    assert_string_equal(buf_text(&out), "{\"type\":\"pong\",\"n\":-9223372036854775808,\"raw\":[1]}");
    buf_fini(&out);
}

static void a_full_buffer_keeps_what_it_had(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(12);
    assert_int_equal(buf_add_byte(&out, '{'), ERR_OK);
    assert_int_equal(json_text_member(&out, "key", "a long value"), ERR_FULL);
    assert_int_equal(json_text_member(&out, "key", "\n\n"), ERR_FULL);
    assert_int_equal(json_text_member_int(&out, "key", 123456789), ERR_FULL);
    assert_int_equal(json_text_member_raw(&out, "key", "[1,2,3,4]", 9), ERR_FULL);
    assert_string_equal(buf_text(&out), "{");
    assert_int_equal(json_text_member_int(&out, "key", 1), ERR_OK);
    assert_string_equal(buf_text(&out), "{\"key\":1");
    buf_fini(&out);
}

static void numbers_are_written_whole(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(200);
    assert_int_equal(json_text_member_int(&out, "a", INT64_MIN), ERR_OK);
    assert_int_equal(json_text_member_int(&out, "b", 0), ERR_OK);
    assert_int_equal(json_text_member_int(&out, "c", INT64_MAX), ERR_OK);
    assert_int_equal(json_text_member_int(&out, "d", -10), ERR_OK);
    assert_string_equal(buf_text(&out), "\"a\":-9223372036854775808,\"b\":0,\"c\":9223372036854775807,\"d\":-10");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bytes_that_are_not_utf8_become_replacement_characters),
        cmocka_unit_test(a_byte_that_needs_an_escape_gets_it_wherever_it_stands),
        cmocka_unit_test(members_are_separated_by_commas),
        cmocka_unit_test(a_full_buffer_keeps_what_it_had),
        cmocka_unit_test(numbers_are_written_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
