#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void fields_come_back_as_written(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(1000);
    struct pack to = {&out, ERR_OK};
    pack_u8(&to, 0xFE);
    pack_u16(&to, 0x1234);
    pack_u32(&to, 0x89ABCDEF);
    pack_u64(&to, 0x0123456789ABCDEF);
    pack_bytes(&to, "a\0b", 3);
    pack_text(&to, "text");
    pack_text(&to, NULL);
    assert_int_equal(to.err, ERR_OK);
    assert_memory_equal(out.data, "\xFE\x34\x12\xEF\xCD\xAB\x89", 7);
    struct unpack from = {out.data, out.len, false};
    char text[5];
    assert_int_equal(unpack_u8(&from), 0xFE);
    assert_int_equal(unpack_u16(&from), 0x1234);
    assert_int_equal(unpack_u32(&from), 0x89ABCDEF);
    assert_true(unpack_u64(&from) == 0x0123456789ABCDEF);
    struct bytes bytes = unpack_bytes(&from);
    assert_int_equal(bytes.len, 3);
    assert_memory_equal(bytes.at, "a\0b", 3);
    unpack_text(&from, text, sizeof text);
    assert_string_equal(text, "text");
    assert_false(unpack_done(&from));
    unpack_text(&from, text, sizeof text);
    assert_string_equal(text, "");
    assert_true(unpack_done(&from));
    buf_fini(&out);
}

static void the_first_failure_sticks(void **state)
{
    (void)state;
    struct buf out = BUF_INIT(6);
    struct pack to = {&out, ERR_OK};
    pack_u32(&to, 1);
    pack_u32(&to, 2);
    pack_u8(&to, 3);
    assert_int_equal(to.err, ERR_FULL);
    assert_int_equal(out.len, 4);
    buf_fini(&out);
    struct unpack from = {"\1\2\3", 3, false};
    assert_int_equal(unpack_u16(&from), 0x0201);
    assert_int_equal(unpack_u16(&from), 0);
    assert_int_equal(unpack_u8(&from), 0);
    assert_true(from.bad);
    assert_false(unpack_done(&from));
}

static void a_length_beyond_the_frame_is_bad(void **state)
{
    (void)state;
    struct unpack from = {"\xFF\xFF\xFF\xFFxyz", 7, false};
    struct bytes bytes = unpack_bytes(&from);
    assert_int_equal(bytes.len, 0);
    assert_true(from.bad);
}

static void a_text_too_long_or_with_a_nul_is_bad(void **state)
{
    (void)state;
    char text[4];
    struct unpack fits = {"\3\0\0\0abc", 7, false};
    unpack_text(&fits, text, sizeof text);
    assert_true(unpack_done(&fits));
    assert_string_equal(text, "abc");
    struct unpack longer = {"\4\0\0\0abcd", 8, false};
    unpack_text(&longer, text, sizeof text);
    assert_true(longer.bad);
    assert_string_equal(text, "");
    struct unpack nul = {"\3\0\0\0a\0c", 7, false};
    unpack_text(&nul, text, sizeof text);
    assert_true(nul.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_back_as_written),
        cmocka_unit_test(the_first_failure_sticks),
        cmocka_unit_test(a_length_beyond_the_frame_is_bad),
        cmocka_unit_test(a_text_too_long_or_with_a_nul_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
