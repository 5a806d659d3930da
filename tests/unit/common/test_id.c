#include "id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_chat_id_is_of_these_characters_only(void **state)
{
    (void)state;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:-";
    for (int c = 0; c < 256; c++) {
        char text[3] = {'a', (char)c, 'z'};
        assert_int_equal(id_chat_valid(text, 3), c != '\0' && strchr(allowed, c) != NULL);
    }
}

static void a_chat_id_has_1_to_128_bytes(void **state)
{
    (void)state;
    char text[ID_CHAT_MAX + 1];
    memset(text, 'x', sizeof text);
    assert_false(id_chat_valid("", 0));
    assert_true(id_chat_valid(text, 1));
    assert_true(id_chat_valid(text, ID_CHAT_MAX));
    assert_false(id_chat_valid(text, ID_CHAT_MAX + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chat_id_is_of_these_characters_only),
        cmocka_unit_test(a_chat_id_has_1_to_128_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
