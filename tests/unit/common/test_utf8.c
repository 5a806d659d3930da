#include "utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t sequence(const char *text)
{
    return utf8_sequence(text, strlen(text));
}

static void well_formed_sequences_have_their_length(void **state)
{
    (void)state;
    assert_int_equal(utf8_sequence("\0", 1), 1);
    assert_int_equal(sequence("a"), 1);
    assert_int_equal(sequence("\xC2\x80"), 2);
    assert_int_equal(sequence("\xE0\xA0\x80"), 3);
    assert_int_equal(sequence("\xED\x9F\xBF"), 3);
    assert_int_equal(sequence("\xEF\xBF\xBF"), 3);
    assert_int_equal(sequence("\xF0\x90\x80\x80"), 4);
    assert_int_equal(sequence("\xF4\x8F\xBF\xBF"), 4);
}

static void broken_sequences_have_none(void **state)
{
    (void)state;
    const char *const broken[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFF",
        "\xC2",
        "\xC2\x41",
        "\xE2\x82",
        "\xE2\x82\x41",
        "\xF0\x9F\x98\x41",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(sequence(broken[i]), 0);
}

static void every_character_is_put_as_a_sequence(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x110000; code++) {
        char bytes[4];
        if (code == 0xD800)
            code = 0xE000;
        size_t len = utf8_put(code, bytes);
        assert_int_equal(utf8_sequence(bytes, len), len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_sequences_have_their_length),
        cmocka_unit_test(broken_sequences_have_none),
        cmocka_unit_test(every_character_is_put_as_a_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
