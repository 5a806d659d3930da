/* The whole broker over real sockets with a real record. */
#include "stage.h"

#define STEPS "{\"steps\":[{\"operation\":\"csv/search\",\"arguments\":{}}]}"
#define STEP_DONE                                                                                                      \
    "{\"index\":0,\"file\":{\"name\":\"out.csv\",\"key\":\"k/o\",\"bytes\":3},\"spool\":null,\"result\":{}}"

static void make_chat(struct stage *self)
{
    open_link(self);
    expect_answer(self, CALL_CREATE_CHAT, 1, "{\"chat_id\":\"c1\"}", 201, "\"chat_id\":\"c1\"");
    expect_answer(self, CALL_ADD_UPLOAD, 2, "{\"name\":\"in.csv\",\"key\":\"k/in\",\"bytes\":3}", 200,
                  "uploads/in.csv");
    say(self, &(struct request_frame){.kind = REQUEST_ATTACH, .link = LINK, .attach = 1, .chat = "c1"});
    wait_for(self, "\"status\":\"created\"");
    hello(self);
}

static void the_main_job_runs_and_survives_a_restart(void **state)
{
    struct stage *self = *state;
    make_chat(self);
    call(self, CALL_EXECUTE, 3, STEPS);
    hear(self, REQUEST_ACCEPTED);
    struct token token = hear_work(self, WORK_JOB).token;
    report(self, token, 1, WORK_STEP_STARTED, "{\"index\":0}");
    report(self, token, 2, WORK_STEP_DONE, STEP_DONE);
    report(self, token, 3, WORK_RUN_DONE, "{}");
    struct request_frame answer = hear(self, REQUEST_ANSWER);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.id[0], 3);
    wait_for(self, "workflow_completed");
    expect_answer(self, CALL_GET_CHAT, 4, "{}", 200, "outputs/out.csv");
    expect_answer(self, CALL_FIND_FILE, 5, "{\"name\":\"out.csv\"}", 200, "\"key\":\"k/o\"");
    expect_answer(self, CALL_LIST_CHATS, 6, "{}", 200, "\"count\":1");
    expect_answer(self, CALL_GET_EVENTS, 7, "{\"since\":1}", 200, "\"head\":3");

    stop(self);
    start(self);
    while (self->term < 2) /* the subscription comes back by itself; the new term says that the stream is another one */
        read_batch(self);
    expect_answer(self, CALL_EXECUTE, 3, STEPS, 200, "outputs/out.csv"); /* the same request: the same answer */
    expect_answer(self, CALL_CREATE_CHAT, 1, "{\"chat_id\":\"c1\"}", 201, "\"chat_id\":\"c1\"");
    expect_answer(self, CALL_DELETE_CHAT, 8, "{}", 200, "c1");
    expect_answer(self, CALL_GET_CHAT, 9, "{}", 404, "Conversation not found");
}

static void an_outside_event_is_acknowledged_when_it_is_kept(void **state)
{
    struct stage *self = *state;
    make_chat(self);
    assert_int_equal(zmq_setsockopt(self->tap, ZMQ_SUBSCRIBE, "chat/c1/", 8), 0);
    const char *event = "{\"type\":\"note\",\"seq\":99,\"text\":\"hi\",\"event_id\":\"e1\"}";
    char answer[256] = "";
    for (int i = 0; i < 2; i++) {
        assert_int_equal(zmq_send(self->publisher, "c1", 2, ZMQ_SNDMORE), 2);
        assert_true(zmq_send(self->publisher, event, strlen(event), 0) > 0);
        int len = zmq_recv(self->publisher, answer, sizeof answer - 1, 0);
        assert_true(len > 0);
        answer[len] = '\0';
        assert_string_equal(answer, "{\"ok\":true,\"seq\":1,\"event_id\":\"e1\"}"); /* sent twice, kept once */
    }
    wait_for(self, "\"source\":\"outside\",\"text\":\"hi\"");
}

int main(void)
{
    struct fault why;
    if (log_open("broker", LOG_ERROR, NULL, &why) != ERR_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_main_job_runs_and_survives_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(an_outside_event_is_acknowledged_when_it_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
