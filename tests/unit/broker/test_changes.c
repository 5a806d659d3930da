#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/change.h"

#include <stdio.h>
#include <string.h>

static void texts_are_copied(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    char name[16] = "first";
    struct change change = {.kind = CHANGE_FILE_ADD, .of.file = {.file_id = "f", .name = name, .bytes = 3}};
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "name %d", i);
        assert_int_equal(changes_add(changes, &change), ERR_OK);
    }
    strcpy(name, "gone");
    assert_int_equal(changes_count(changes), 1000);
    assert_string_equal(changes_at(changes, 0)->of.file.name, "name 0");
    assert_string_equal(changes_at(changes, 999)->of.file.name, "name 999");
    assert_string_equal(changes_at(changes, 999)->of.file.key, ""); /* absent texts are empty ones */
    changes_clear(changes);
    assert_int_equal(changes_count(changes), 0);
    changes_destroy(&changes);
}

static void a_body_may_be_larger_than_a_block(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    static char body[300000];
    memset(body, 'x', sizeof body);
    struct change change = {.kind = CHANGE_EVENT_ADD,
                            .of.event = {.chat_id = "c", .type = "t", .body = body, .body_len = sizeof body}};
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    const struct event_row *row = &changes_at(changes, 0)->of.event;
    assert_int_equal(row->body_len, sizeof body);
    assert_memory_equal(row->body, body, sizeof body);
    assert_int_equal(row->body[sizeof body], '\0');
    changes_destroy(&changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(a_body_may_be_larger_than_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
