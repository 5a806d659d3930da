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

static void put_job(struct changes *changes, const char *id, uint64_t counter, uint64_t number)
{
    struct change change = {.kind = CHANGE_JOB_PUT,
                            .of.job = {.job_id = id,
                                       .chat_id = "c",
                                       .status = number ? JOB_RUNNING : JOB_PENDING,
                                       .token = {.term = 1, .counter = counter},
                                       .last_number = number}};
    assert_int_equal(changes_add(changes, &change), ERR_OK);
}

static void a_row_put_again_under_the_same_lease_is_kept_once(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    put_job(changes, "a", 1, 1);
    put_job(changes, "b", 2, 5);
    put_job(changes, "a", 1, 2);
    assert_int_equal(changes_count(changes), 2);
    assert_string_equal(changes_at(changes, 0)->of.job.job_id, "b");
    assert_int_equal(changes_at(changes, 1)->of.job.last_number, 2);
    put_job(changes, "a", 3, 1); /* another lease: what was done under the first one stays */
    assert_int_equal(changes_count(changes), 3);
    changes_destroy(&changes);
}

static void the_row_a_job_begins_with_stays(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    put_job(changes, "a", 0, 0);
    put_job(changes, "a", 0, 1); /* a run without steps ends in the turn that accepts it */
    assert_int_equal(changes_count(changes), 2);
    changes_destroy(&changes);
}

static void a_row_is_not_carried_over_the_end_of_its_chat(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    put_job(changes, "a", 1, 1);
    struct change gone = {.kind = CHANGE_CHAT_DELETE, .of.chat = {.chat_id = "c"}};
    assert_int_equal(changes_add(changes, &gone), ERR_OK);
    put_job(changes, "a", 1, 1);
    assert_int_equal(changes_count(changes), 3);
    changes_destroy(&changes);
}

/* A dump may say the same step id of every step: rows are told apart by run and index. */
static void a_step_of_another_place_is_another_row(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    struct change change = {.kind = CHANGE_STEP_PUT,
                            .of.step = {.step_id = "s", .job_id = "a", .status = STEP_COMPLETED}};
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    change.of.step.index = 1;
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    change.of.step.job_id = "b";
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    assert_int_equal(changes_count(changes), 3);
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    assert_int_equal(changes_count(changes), 3);
    changes_destroy(&changes);
}

static void a_step_in_another_state_is_another_row(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    struct change change = {.kind = CHANGE_STEP_PUT,
                            .of.step = {.step_id = "s", .status = STEP_RUNNING, .spool_key = "k"}};
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    change.of.step.status = STEP_COMPLETED;
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    change.of.step.spool_key = "";
    assert_int_equal(changes_add(changes, &change), ERR_OK);
    assert_int_equal(changes_count(changes), 2);
    assert_int_equal(changes_at(changes, 0)->of.step.status, STEP_RUNNING);
    assert_string_equal(changes_at(changes, 1)->of.step.spool_key, "");
    changes_destroy(&changes);
}

static void a_cleared_list_is_used_again(void **state)
{
    (void)state;
    struct changes *changes;
    assert_int_equal(changes_new(&changes), ERR_OK);
    for (uint64_t turn = 1; turn <= 3; turn++) {
        for (uint64_t i = 0; i < 1000; i++)
            put_job(changes, "a job with a name of some length", i, turn);
        assert_int_equal(changes_count(changes), 1000);
        assert_int_equal(changes_at(changes, 0)->of.job.last_number, turn);
        assert_string_equal(changes_at(changes, 999)->of.job.chat_id, "c");
        changes_clear(changes);
    }
    changes_destroy(&changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(a_body_may_be_larger_than_a_block),
        cmocka_unit_test(a_row_put_again_under_the_same_lease_is_kept_once),
        cmocka_unit_test(the_row_a_job_begins_with_stays),
        cmocka_unit_test(a_row_is_not_carried_over_the_end_of_its_chat),
        cmocka_unit_test(a_step_of_another_place_is_another_row),
        cmocka_unit_test(a_step_in_another_state_is_another_row),
        cmocka_unit_test(a_cleared_list_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
