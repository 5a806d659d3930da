#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/final_rows.h"

#include <stdio.h>
#include <string.h>

static int setup(void **state)
{
    struct final_rows *set;
    enum err err = final_rows_new(&set);
    *state = set;
    return err == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct final_rows *set = *state;
    final_rows_destroy(&set);
    return 0;
}

static void add(struct final_rows *set, struct change change)
{
    assert_int_equal(final_rows_add(set, &change), ERR_OK);
}

static void put_chat(struct final_rows *set, const char *id, uint64_t head)
{
    add(set, (struct change){.kind = CHANGE_CHAT_PUT, .of.chat = {.chat_id = id, .head = head}});
}

static void add_event(struct final_rows *set, const char *chat, uint64_t seq)
{
    add(set, (struct change){.kind = CHANGE_EVENT_ADD, .of.event = {.chat_id = chat, .seq = seq}});
}

static void put_job(struct final_rows *set, const char *chat, const char *id, enum job_status status)
{
    add(set, (struct change){.kind = CHANGE_JOB_PUT, .of.job = {.chat_id = chat, .job_id = id, .status = status}});
}

static void put_step(struct final_rows *set, const char *chat, const char *job, uint32_t index, enum step_status status)
{
    add(set,
        (struct change){.kind = CHANGE_STEP_PUT,
                        .of.step = {.step_id = "s", .chat_id = chat, .job_id = job, .index = index, .status = status}});
}

static void of_a_row_that_is_put_again_the_last_state_is_left(void **state)
{
    struct final_rows *set = *state;
    put_job(set, "c", "j", JOB_PENDING);
    put_job(set, "c", "k", JOB_PENDING);
    put_step(set, "c", "j", 0, STEP_PENDING);
    put_job(set, "c", "j", JOB_RUNNING);
    put_step(set, "c", "j", 0, STEP_COMPLETED);
    put_job(set, "c", "j", JOB_COMPLETED);
    assert_int_equal(final_rows_count(set, CHANGE_JOB_PUT), 2);
    assert_int_equal(final_rows_at(set, CHANGE_JOB_PUT, 0)->of.job.status, JOB_COMPLETED);
    assert_int_equal(final_rows_at(set, CHANGE_JOB_PUT, 1)->of.job.status, JOB_PENDING);
    assert_int_equal(final_rows_count(set, CHANGE_STEP_PUT), 1);
    assert_int_equal(final_rows_at(set, CHANGE_STEP_PUT, 0)->of.step.status, STEP_COMPLETED);
}

/* Ids of runs and steps may come from a dump, so two chats may have the same. */
static void rows_are_told_apart_by_chat_run_and_place(void **state)
{
    struct final_rows *set = *state;
    put_job(set, "c", "j", JOB_PENDING);
    put_job(set, "d", "j", JOB_PENDING);
    put_step(set, "c", "j", 0, STEP_PENDING);
    put_step(set, "c", "j", 1, STEP_PENDING);
    put_step(set, "d", "j", 0, STEP_PENDING);
    put_step(set, "c", "k", 0, STEP_PENDING);
    put_chat(set, "j", 0);
    assert_int_equal(final_rows_count(set, CHANGE_JOB_PUT), 2);
    assert_int_equal(final_rows_count(set, CHANGE_STEP_PUT), 4);
    assert_int_equal(final_rows_count(set, CHANGE_CHAT_PUT), 1);
}

static void the_newest_event_moves_the_head_of_its_chat(void **state)
{
    struct final_rows *set = *state;
    put_chat(set, "c", 4);
    add_event(set, "c", 5);
    add_event(set, "c", 6);
    assert_int_equal(final_rows_count(set, CHANGE_CHAT_PUT), 1);
    assert_int_equal(final_rows_at(set, CHANGE_CHAT_PUT, 0)->of.chat.head, 6);
    assert_int_equal(final_rows_count(set, CHANGE_EVENT_ADD), 2);
    assert_int_equal(final_rows_at(set, CHANGE_EVENT_ADD, 0)->of.event.seq, 5);
}

static void a_chat_whose_row_does_not_come_is_moved_once(void **state)
{
    struct final_rows *set = *state;
    add_event(set, "c", 5);
    add_event(set, "c", 6);
    assert_int_equal(final_rows_count(set, CHANGE_CHAT_PUT), 1);
    assert_int_equal(final_rows_at(set, CHANGE_CHAT_PUT, 0)->kind, CHANGE_EVENT_ADD);
    assert_int_equal(final_rows_at(set, CHANGE_CHAT_PUT, 0)->of.event.seq, 6);
    put_chat(set, "c", 6);
    assert_int_equal(final_rows_count(set, CHANGE_CHAT_PUT), 1);
    assert_int_equal(final_rows_at(set, CHANGE_CHAT_PUT, 0)->kind, CHANGE_CHAT_PUT);
    assert_int_equal(final_rows_at(set, CHANGE_CHAT_PUT, 0)->of.chat.head, 6);
}

static void what_is_added_keeps_its_order(void **state)
{
    struct final_rows *set = *state;
    static const char *const ids[] = {"b", "a", "b"};
    for (size_t i = 0; i < 3; i++)
        add(set, (struct change){.kind = CHANGE_MESSAGE_ADD, .of.message = {.message_id = ids[i]}});
    assert_int_equal(final_rows_count(set, CHANGE_MESSAGE_ADD), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(final_rows_at(set, CHANGE_MESSAGE_ADD, i)->of.message.message_id, ids[i]);
}

static void nothing_is_left_of_what_was_cleared(void **state)
{
    struct final_rows *set = *state;
    put_job(set, "c", "j", JOB_RUNNING);
    final_rows_clear(set);
    assert_int_equal(final_rows_count(set, CHANGE_JOB_PUT), 0);
    put_job(set, "c", "j", JOB_COMPLETED);
    assert_int_equal(final_rows_count(set, CHANGE_JOB_PUT), 1);
}

/* Beyond that there is still room for the event that made it full and its chat. */
static void it_says_when_it_is_full(void **state)
{
    struct final_rows *set = *state;
    static char ids[20000][32];
    size_t count = 0;
    for (; !final_rows_full(set); count++) {
        assert_true(count < 20000);
        snprintf(ids[count], sizeof ids[count], "chat %zu", count);
        add_event(set, ids[count], 1);
    }
    assert_int_equal(final_rows_count(set, CHANGE_EVENT_ADD), count);
    assert_int_equal(final_rows_count(set, CHANGE_CHAT_PUT), count);
    final_rows_clear(set);
    assert_false(final_rows_full(set));
}

#define FINAL_ROWS(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FINAL_ROWS(of_a_row_that_is_put_again_the_last_state_is_left),
        FINAL_ROWS(rows_are_told_apart_by_chat_run_and_place),
        FINAL_ROWS(the_newest_event_moves_the_head_of_its_chat),
        FINAL_ROWS(a_chat_whose_row_does_not_come_is_moved_once),
        FINAL_ROWS(what_is_added_keeps_its_order),
        FINAL_ROWS(nothing_is_left_of_what_was_cleared),
        FINAL_ROWS(it_says_when_it_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
