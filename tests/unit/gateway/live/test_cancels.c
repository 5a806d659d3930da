/* Cancels on their way, with an uplink that the test plays. */
#include "live/cancels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- the uplink: keeps what it is asked ---- */

struct uplink_call {
    struct uplink_request request;
    char chat[64], body[128];
    bool forgotten;
};

static struct uplink_call calls[32];
static size_t call_count;
static enum err next_call;
static int forgotten, wakes;
static char told[2048];

enum err uplink_call(struct uplink *self, const struct uplink_request *request, struct uplink_call **out)
{
    assert_null(self);
    enum err err = next_call;
    next_call = ERR_OK;
    if (err != ERR_OK)
        return err;
    struct uplink_call *call = &calls[call_count++];
    *call = (struct uplink_call){.request = *request};
    snprintf(call->chat, sizeof call->chat, "%s", request->chat);
    snprintf(call->body, sizeof call->body, "%.*s", (int)request->len, request->body);
    *out = call;
    return ERR_OK;
}

void uplink_forget(struct uplink_call **call_p)
{
    if (*call_p) {
        assert_false((*call_p)->forgotten);
        (*call_p)->forgotten = true;
        forgotten++;
    }
    *call_p = NULL;
}

static void answer(size_t i, uint16_t status, const char *message)
{
    assert_false(calls[i].forgotten);
    calls[i].request.on_answer(calls[i].request.ctx,
                               &(struct uplink_answer){.status = status, .message = {message, strlen(message)}});
}

/* ---- the loop ---- */

static void wake(void *ctx)
{
    assert_ptr_equal(ctx, &wakes);
    wakes++;
}

static void refused(void *socket, const char *problem)
{
    size_t len = strlen(told);
    snprintf(told + len, sizeof told - len, "%s:%s;", (const char *)socket, problem);
}

static const char *take(struct cancels *self)
{
    told[0] = '\0';
    cancels_take(self, refused);
    return told;
}

static int setup(void **state)
{
    struct cancels *self;
    call_count = 0;
    forgotten = wakes = 0;
    next_call = ERR_OK;
    if (cancels_new(&self, NULL, wake, &wakes) != ERR_OK)
        return -1;
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct cancels *self = *state;
    cancels_destroy(&self);
    return forgotten == (int)call_count ? 0 : -1; /* no answer comes to freed memory */
}

static char socket_a[] = "a", socket_b[] = "b";

static void a_cancel_names_chat_and_job(void **state)
{
    struct cancels *self = *state;
    assert_int_equal(cancels_ask(self, socket_a, "c1", "j\"1"), ERR_OK);
    assert_int_equal(calls[0].request.call, CALL_CANCEL_JOB);
    assert_string_equal(calls[0].chat, "c1");
    assert_string_equal(calls[0].body, "{\"job_id\":\"j\\\"1\"}");
    assert_int_equal(calls[0].request.deadline_ms, CANCELS_DEADLINE_MS);
    assert_string_equal(take(self), "");
}

/* A run that is cancelled says so itself. */
static void only_refusals_come_back_and_to_their_socket(void **state)
{
    struct cancels *self = *state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(cancels_ask(self, i % 2 ? socket_b : socket_a, "c", "j"), ERR_OK);
    answer(3, 409, "It has ended");
    answer(0, 200, "Cancelled");
    answer(2, 404, "No such job");
    assert_int_equal(wakes, 3);
    take(self);
    assert_non_null(strstr(told, "b:It has ended;"));
    assert_non_null(strstr(told, "a:No such job;"));
    assert_int_equal(strlen(told), strlen("b:It has ended;a:No such job;"));
    assert_int_equal(forgotten, 3);
    assert_string_equal(take(self), ""); /* each once */
    answer(1, 503, "Away");
    assert_string_equal(take(self), "b:Away;");
}

static void the_ninth_of_a_socket_is_refused(void **state)
{
    struct cancels *self = *state;
    for (int i = 0; i < CANCELS_PER_SOCKET; i++)
        assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_OK);
    assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_FULL);
    assert_int_equal(cancels_ask(self, socket_b, "c", "j"), ERR_OK);
    answer(4, 200, "Cancelled");
    assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_FULL); /* answered, but not taken */
    take(self);
    assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_OK);
}

static void a_socket_that_is_gone_hears_nothing(void **state)
{
    struct cancels *self = *state;
    for (int i = 0; i < 5; i++)
        assert_int_equal(cancels_ask(self, i % 2 ? socket_b : socket_a, "c", "j"), ERR_OK);
    answer(0, 404, "too late");
    cancels_drop(self, socket_a);
    assert_int_equal(forgotten, 3);
    assert_string_equal(take(self), "");
    answer(1, 404, "here");
    assert_string_equal(take(self), "b:here;");
    cancels_drop(NULL, socket_a);
}

static void an_uplink_without_room_is_full(void **state)
{
    struct cancels *self = *state;
    next_call = ERR_FULL;
    assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_FULL);
    assert_string_equal(take(self), "");
    assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_OK);
}

static void a_long_problem_is_cut_between_characters(void **state)
{
    struct cancels *self = *state;
    char problem[2 * FAULT_TEXT_MAX + 1];
    for (size_t i = 0; i + 1 < sizeof problem; i += 2)
        memcpy(problem + i, "\xC3\xA9", 2);
    problem[sizeof problem - 1] = '\0';
    assert_int_equal(cancels_ask(self, socket_a, "c", "j"), ERR_OK);
    answer(0, 422, problem);
    take(self);
    size_t len = strlen(told) - strlen("a:...;");
    assert_true(len > FAULT_TEXT_MAX / 2 && len < FAULT_TEXT_MAX && len % 2 == 0);
    assert_memory_equal(told + 2, problem, len);
    assert_string_equal(told + 2 + len, "...;");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_cancel_names_chat_and_job),      CASE(only_refusals_come_back_and_to_their_socket),
        CASE(the_ninth_of_a_socket_is_refused), CASE(a_socket_that_is_gone_hears_nothing),
        CASE(an_uplink_without_room_is_full),   CASE(a_long_problem_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
