#include "operations/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_folds_to(struct fold_room *room, const char *text, const char *expected)
{
    const char *out;
    size_t len;
    assert_true(fold_text(room, text, strlen(text), &out, &len));
    if (len != strlen(expected) || memcmp(out, expected, len) != 0)
        fail_msg("%s: expected %s, got %.*s", text, expected, (int)len, out);
}

static void case_goes_away(void **state)
{
    (void)state;
    struct fold_room room = {.bytes = NULL};
    text_folds_to(&room, "", "");
    text_folds_to(&room, "AbZ[@`{09", "abz[@`{09");
    text_folds_to(&room, "Straße", "strasse");
    text_folds_to(&room, "ZOË МИР ΣΊΣΥΦΟς", "zoë мир σίσυφοσ");
    text_folds_to(&room, "ﬁ", "fi");
    text_folds_to(&room, "李雷 😀", "李雷 😀");
    fold_room_fini(&room);
}

static void bytes_that_are_not_utf8_are_replaced(void **state)
{
    (void)state;
    struct fold_room room = {.bytes = NULL};
    text_folds_to(&room, "\xFF-RED\xC3", "\xEF\xBF\xBD-red\xEF\xBF\xBD");
    text_folds_to(&room, "OK", "ok");
    fold_room_fini(&room);
}

/* Folding may make a text longer than the room for its bytes. */
static void a_text_may_grow_beyond_the_room(void **state)
{
    (void)state;
    enum { CHARACTERS = 10000 };
    struct fold_room room = {.bytes = NULL};
    char *text = malloc(CHARACTERS * 2 + 1);
    assert_non_null(text);
    for (int i = 0; i < CHARACTERS; i++)
        memcpy(text + 2 * i, "\u0390", 2); /* folds to three characters, six bytes */
    text[CHARACTERS * 2] = '\0';
    const char *out;
    size_t len;
    assert_true(fold_text(&room, text, strlen(text), &out, &len));
    assert_int_equal(len, CHARACTERS * 6);
    uint8_t *bytes = room.bytes;
    assert_true(fold_text(&room, text, strlen(text), &out, &len));
    assert_ptr_equal(room.bytes, bytes); /* the second time it fits */
    free(text);
    fold_room_fini(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(case_goes_away),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(a_text_may_grow_beyond_the_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
