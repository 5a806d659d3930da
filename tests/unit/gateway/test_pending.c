#include "pending.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct caller {
    struct uplink_call *call;
    int answers, accepted;
    uint16_t status;
    bool own, sent, forget_inside;
    char job[64];
};

static void on_answer(void *ctx, const struct uplink_answer *answer)
{
    struct caller *self = ctx;
    self->answers++;
    self->status = answer->status;
    self->own = answer->own;
    self->sent = answer->sent;
    if (self->forget_inside)
        call_forget(&self->call);
}

static void on_accepted(void *ctx, const char *job_id)
{
    struct caller *self = ctx;
    self->accepted++;
    strcpy(self->job, job_id);
}

struct wire {
    int room; /* frames it still takes */
    int calls, forgets;
    unsigned char last_id[REQUEST_ID_LEN];
    uint64_t last_link;
    bool last_again;
};

static enum err send_frame(void *ctx, const struct request_frame *frame)
{
    struct wire *self = ctx;
    if (self->room == 0)
        return ERR_FULL;
    self->room--;
    self->calls += frame->kind == REQUEST_CALL;
    self->forgets += frame->kind == REQUEST_FORGET;
    self->last_link = frame->link;
    self->last_again = frame->again;
    memcpy(self->last_id, frame->id, sizeof self->last_id);
    return ERR_OK;
}

static void make_call(struct pending *pending, struct caller *caller, int64_t now_ms)
{
    struct uplink_request request = {.call = CALL_EXECUTE,
                                     .chat = "c",
                                     .body = "{}",
                                     .len = 2,
                                     .deadline_ms = 10000,
                                     .on_answer = on_answer,
                                     .on_accepted = on_accepted,
                                     .ctx = caller};
    assert_int_equal(call_new(&caller->call, &request, now_ms), ERR_OK);
    pending_add(pending, caller->call);
}

static bool answer(struct pending *pending, const unsigned char *id, enum request_kind kind)
{
    struct request_frame frame = {.kind = kind, .status = 200, .body = {"job-1", 5}};
    memcpy(frame.id, id, sizeof frame.id);
    return pending_answer(pending, &frame);
}

static void a_call_is_accepted_then_answered_once(void **state)
{
    (void)state;
    struct pending *pending;
    struct caller caller = {0};
    struct wire wire = {.room = 10};
    assert_int_equal(pending_new(&pending), ERR_OK);
    make_call(pending, &caller, 0);
    assert_false(pending_send(pending, 7, send_frame, &wire));
    assert_int_equal(wire.calls, 1);
    assert_int_equal(wire.last_link, 7);
    assert_true(answer(pending, wire.last_id, REQUEST_ACCEPTED));
    assert_string_equal(caller.job, "job-1");
    assert_int_equal(pending_count(pending), 1);
    assert_true(answer(pending, wire.last_id, REQUEST_ANSWER));
    assert_false(answer(pending, wire.last_id, REQUEST_ANSWER));
    assert_int_equal(caller.answers, 1);
    assert_int_equal(caller.status, 200);
    assert_false(caller.own);
    assert_int_equal(pending_count(pending), 0);
    call_forget(&caller.call);
    pending_destroy(&pending);
}

static void a_lost_link_sends_again_under_the_same_id(void **state)
{
    (void)state;
    struct pending *pending;
    struct caller caller = {0};
    struct wire wire = {.room = 10};
    unsigned char first[REQUEST_ID_LEN];
    assert_int_equal(pending_new(&pending), ERR_OK);
    make_call(pending, &caller, 0);
    assert_false(pending_send(pending, 7, send_frame, &wire));
    memcpy(first, wire.last_id, sizeof first);
    assert_false(pending_send(pending, 7, send_frame, &wire));
    assert_int_equal(wire.calls, 1);
    assert_false(wire.last_again);
    pending_link_lost(pending);
    assert_false(pending_send(pending, 8, send_frame, &wire));
    assert_int_equal(wire.calls, 2);
    assert_int_equal(wire.last_link, 8);
    assert_true(wire.last_again);
    assert_memory_equal(first, wire.last_id, sizeof first);
    assert_true(answer(pending, first, REQUEST_ANSWER));
    call_forget(&caller.call);
    pending_destroy(&pending);
}

static void a_sender_without_room_leaves_calls_due(void **state)
{
    (void)state;
    struct pending *pending;
    struct caller callers[3] = {{0}};
    struct wire wire = {.room = 2};
    assert_int_equal(pending_new(&pending), ERR_OK);
    for (int i = 0; i < 3; i++)
        make_call(pending, &callers[i], 0);
    assert_true(pending_send(pending, 7, send_frame, &wire));
    assert_int_equal(wire.calls, 2);
    wire.room = 5;
    assert_false(pending_send(pending, 7, send_frame, &wire));
    assert_int_equal(wire.calls, 3);
    for (int i = 0; i < 3; i++)
        call_forget(&callers[i].call);
    pending_destroy(&pending);
}

static void a_call_never_sent_gets_503_and_a_sent_one_504_at_its_own_deadline(void **state)
{
    (void)state;
    struct pending *pending;
    struct caller sent = {0}, waiting = {0};
    struct wire wire = {.room = 1};
    assert_int_equal(pending_new(&pending), ERR_OK);
    make_call(pending, &sent, 0);
    pending_send(pending, 7, send_frame, &wire);
    make_call(pending, &waiting, 0);
    pending_link_lost(pending);
    pending_sweep(pending, UPLINK_SEND_MS - 1, NULL, NULL);
    assert_int_equal(waiting.answers, 0);
    pending_sweep(pending, UPLINK_SEND_MS, NULL, NULL);
    assert_int_equal(waiting.answers, 1);
    assert_int_equal(waiting.status, 503);
    assert_true(waiting.own && !waiting.sent);
    assert_int_equal(sent.answers, 0);
    wire.room = 5;
    pending_sweep(pending, 10000, send_frame, &wire);
    assert_int_equal(sent.status, 504);
    assert_true(sent.own && sent.sent);
    assert_int_equal(wire.forgets, 1);
    assert_int_equal(pending_count(pending), 0);
    call_forget(&sent.call);
    call_forget(&waiting.call);
    pending_destroy(&pending);
}

static void a_forgotten_call_is_never_answered_and_the_broker_is_told(void **state)
{
    (void)state;
    struct pending *pending;
    struct caller sent = {0}, unsent = {0};
    struct wire wire = {.room = 1};
    unsigned char id[REQUEST_ID_LEN];
    assert_int_equal(pending_new(&pending), ERR_OK);
    make_call(pending, &sent, 0);
    pending_send(pending, 7, send_frame, &wire);
    memcpy(id, wire.last_id, sizeof id);
    make_call(pending, &unsent, 0);
    call_forget(&sent.call);
    call_forget(&unsent.call);
    wire.room = 5;
    assert_false(pending_send(pending, 7, send_frame, &wire));
    assert_int_equal(wire.calls, 1);
    pending_sweep(pending, 1, send_frame, &wire);
    assert_int_equal(wire.forgets, 1);
    assert_memory_equal(wire.last_id, id, sizeof id);
    assert_int_equal(pending_count(pending), 0);
    assert_false(answer(pending, id, REQUEST_ANSWER));
    assert_int_equal(sent.answers + unsent.answers, 0);
    pending_destroy(&pending);
}

static void a_callback_may_forget_its_own_call(void **state)
{
    (void)state;
    struct pending *pending;
    struct caller caller = {.forget_inside = true};
    struct wire wire = {.room = 1};
    assert_int_equal(pending_new(&pending), ERR_OK);
    make_call(pending, &caller, 0);
    pending_send(pending, 7, send_frame, &wire);
    assert_true(answer(pending, wire.last_id, REQUEST_ANSWER));
    assert_null(caller.call);
    pending_destroy(&pending);
}

static void beyond_the_limit_a_call_is_refused_and_stopping_refuses_all(void **state)
{
    (void)state;
    struct pending *pending;
    static struct caller callers[UPLINK_CALLS_MAX + 1];
    assert_int_equal(pending_new(&pending), ERR_OK);
    for (int i = 0; i <= UPLINK_CALLS_MAX; i++)
        make_call(pending, &callers[i], 0);
    assert_int_equal(callers[UPLINK_CALLS_MAX].status, 503);
    assert_int_equal(pending_count(pending), UPLINK_CALLS_MAX);
    pending_refuse_all(pending);
    assert_int_equal(pending_count(pending), 0);
    for (int i = 0; i <= UPLINK_CALLS_MAX; i++) {
        assert_int_equal(callers[i].answers, 1);
        call_forget(&callers[i].call);
    }
    pending_destroy(&pending);
}

static void texts_that_are_too_long_are_refused(void **state)
{
    (void)state;
    struct uplink_call *call;
    char chat[ID_CHAT_MAX + 2];
    memset(chat, 'c', sizeof chat - 1);
    chat[sizeof chat - 1] = '\0';
    assert_int_equal(call_new(&call, &(struct uplink_request){.chat = chat}, 0), ERR_INVALID);
    assert_int_equal(call_new(&call, &(struct uplink_request){.trace = chat}, 0), ERR_INVALID);
    assert_null(call);
    call_forget(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_accepted_then_answered_once),
        cmocka_unit_test(a_lost_link_sends_again_under_the_same_id),
        cmocka_unit_test(a_sender_without_room_leaves_calls_due),
        cmocka_unit_test(a_call_never_sent_gets_503_and_a_sent_one_504_at_its_own_deadline),
        cmocka_unit_test(a_forgotten_call_is_never_answered_and_the_broker_is_told),
        cmocka_unit_test(a_callback_may_forget_its_own_call),
        cmocka_unit_test(beyond_the_limit_a_call_is_refused_and_stopping_refuses_all),
        cmocka_unit_test(texts_that_are_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
