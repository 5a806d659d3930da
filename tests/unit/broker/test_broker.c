/* The whole broker over real sockets with a real record: a gateway and a worker played by the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker.h"
#include "config.h"
#include "endpoint.h"
#include "log.h"
#include "wire/feed_frame.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS 10000
#define LINK    0x1234u

struct stage {
    char folder[64];
    struct config *config;
    struct settings settings;
    struct broker broker;
    pthread_t thread;
    int stop_fd;
    enum err result;
    void *context, *requests, *feed, *work, *publisher, *tap;
    uint64_t received, term; /* of the newest batch */
    struct buf seen;         /* bodies of all feed records, one a line */
};

static char texts[8][256];

static const char *in_folder(struct stage *self, int i, const char *format)
{
    snprintf(texts[i], sizeof texts[i], "%s%s", format, self->folder);
    return texts[i];
}

static void *run_broker(void *arg)
{
    struct stage *self = arg;
    struct fault why = {.text = ""};
    self->result = broker_run(&self->broker, self->stop_fd, &why);
    return NULL;
}

static void start(struct stage *self)
{
    struct fault why = {.text = ""};
    if (broker_open(&self->broker, &self->settings, &why) != ERR_OK)
        fail_msg("%s", why.text);
    self->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&self->thread, NULL, run_broker, self), 0);
}

static void stop(struct stage *self)
{
    assert_int_equal(eventfd_write(self->stop_fd, 1), 0);
    pthread_join(self->thread, NULL);
    assert_int_equal(self->result, ERR_OK);
    close(self->stop_fd);
    broker_close(&self->broker);
}

static void *connect_to(struct stage *self, enum endpoint which)
{
    void *socket = NULL;
    struct fault why = {.text = ""};
    if (endpoint_connect(&socket, self->context, &self->settings, which, &why) != ERR_OK)
        fail_msg("%s", why.text);
    int ms = WAIT_MS;
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &ms, sizeof ms);
    zmq_setsockopt(socket, ZMQ_SNDTIMEO, &ms, sizeof ms);
    return socket;
}

static int setup(void **state)
{
    struct stage *self = calloc(1, sizeof *self);
    struct fault why = {.text = ""};
    char *no_environment[] = {NULL};
    strcpy(self->folder, "/tmp/sheetwire-broker-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    assert_int_equal(chdir(self->folder), 0);
    assert_int_equal(config_load(&self->config, NULL, no_environment, &why), ERR_OK);
    self->settings = *config_settings(self->config);
    self->settings.wire.run_dir = "./run";
    self->settings.wire.publish = in_folder(self, 1, "ipc://");
    strcat(texts[1], "/publish");
    self->settings.wire.publish_ack = in_folder(self, 2, "ipc://");
    strcat(texts[2], "/publish_ack");
    self->settings.wire.tap = in_folder(self, 3, "ipc://");
    strcat(texts[3], "/tap");
    self->settings.wire.beat_ms = 100;
    self->settings.broker.lease_ms = 2000;
    self->seen = BUF_INIT((size_t)16 << 20);
    self->context = zmq_ctx_new();
    start(self);
    self->requests = connect_to(self, ENDPOINT_REQUESTS);
    self->feed = connect_to(self, ENDPOINT_FEED);
    self->work = connect_to(self, ENDPOINT_WORK);
    self->publisher = connect_to(self, ENDPOINT_PUBLISH_ACK);
    self->tap = connect_to(self, ENDPOINT_TAP);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct stage *self = *state;
    void *sockets[] = {self->requests, self->feed, self->work, self->publisher, self->tap};
    int none = 0;
    for (size_t i = 0; i < sizeof sockets / sizeof *sockets; i++) {
        zmq_setsockopt(sockets[i], ZMQ_LINGER, &none, sizeof none);
        zmq_close(sockets[i]);
    }
    stop(self);
    zmq_ctx_term(self->context);
    config_destroy(&self->config);
    buf_fini(&self->seen);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", self->folder);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(system(command), 0);
    free(self);
    return 0;
}

/* ---- the gateway's part ---- */

static void say(struct stage *self, const struct request_frame *frame)
{
    struct buf bytes = BUF_INIT((size_t)1 << 20);
    assert_int_equal(request_frame_write(frame, &bytes), ERR_OK);
    if (zmq_send(self->requests, bytes.data, bytes.len, 0) < 0)
        fail_msg("request not sent: %s", zmq_strerror(zmq_errno()));
    buf_fini(&bytes);
}

/* The next answer of that kind; borrowed until the next call. */
static struct request_frame hear(struct stage *self, enum request_kind kind)
{
    static char bytes[1 << 20];
    for (;;) {
        struct request_frame frame;
        int len = zmq_recv(self->requests, bytes, sizeof bytes, 0);
        if (len < 0)
            fail_msg("no answer: %s", zmq_strerror(zmq_errno()));
        assert_int_equal(request_frame_read(&frame, bytes, (size_t)len), ERR_OK);
        if (frame.kind == kind)
            return frame;
    }
}

static void call(struct stage *self, enum call what, unsigned char id, const char *body)
{
    struct request_frame frame = {
        .kind = REQUEST_CALL, .link = LINK, .id = {id}, .call = what, .chat = "c1", .body = {body, strlen(body)}};
    say(self, &frame);
}

static void expect_answer(struct stage *self, enum call what, unsigned char id, const char *body, uint16_t status,
                          const char *part)
{
    call(self, what, id, body);
    struct request_frame answer = hear(self, REQUEST_ANSWER);
    char text[65536];
    snprintf(text, sizeof text, "%.*s %.*s", (int)answer.message.len, answer.message.at, (int)answer.body.len,
             answer.body.at);
    if (answer.status != status || !strstr(text, part))
        fail_msg("%s: %u %s", call_name(what), answer.status, text);
}

static void read_batch(struct stage *self)
{
    static char bytes[1 << 20];
    int len = zmq_recv(self->feed, bytes, sizeof bytes, 0); /* the topic */
    assert_true(len > 0);
    len = zmq_recv(self->feed, bytes, sizeof bytes, 0);
    assert_true(len > 0);
    struct feed_batch batch;
    struct unpack rest;
    assert_int_equal(feed_batch_read(&batch, &rest, bytes, (size_t)len), ERR_OK);
    for (uint32_t i = 0; i < batch.count; i++) {
        struct feed_record record;
        assert_int_equal(feed_record_read(&record, &rest), ERR_OK);
        assert_int_equal(buf_printf(&self->seen, "%d %.*s\n", (int)record.kind, (int)record.body.len, record.body.at),
                         ERR_OK);
    }
    self->received = batch.number;
    self->term = batch.term;
    say(self, &(struct request_frame){.kind = REQUEST_BEAT, .link = LINK, .number = batch.number});
}

static void wait_for(struct stage *self, const char *part)
{
    while (!strstr(buf_text(&self->seen), part))
        read_batch(self);
}

static void open_link(struct stage *self)
{
    char topic[FEED_TOPIC_MAX];
    size_t len = feed_topic(LINK, topic);
    assert_int_equal(zmq_setsockopt(self->feed, ZMQ_SUBSCRIBE, topic, len), 0);
    read_batch(self); /* a beat: the link is open */
}

/* ---- the worker's part ---- */

static void work(struct stage *self, struct work_frame *frame)
{
    struct buf bytes = BUF_INIT((size_t)1 << 20);
    strcpy(frame->worker, "w1");
    assert_int_equal(work_frame_write(frame, &bytes), ERR_OK);
    assert_true(zmq_send(self->work, bytes.data, bytes.len, 0) > 0);
    buf_fini(&bytes);
}

static struct work_frame hear_work(struct stage *self, enum work_kind kind)
{
    static char bytes[1 << 20];
    for (;;) {
        struct work_frame frame;
        int len = zmq_recv(self->work, bytes, sizeof bytes, 0);
        if (len < 0)
            fail_msg("nothing for the worker: %s", zmq_strerror(zmq_errno()));
        assert_int_equal(work_frame_read(&frame, bytes, (size_t)len), ERR_OK);
        if (frame.kind == kind)
            return frame;
    }
}

static void hello(struct stage *self)
{
    work(self, &(struct work_frame){.kind = WORK_HELLO, .slots = 2, .free_slots = 2});
    hear_work(self, WORK_WELCOME);
}

static void report(struct stage *self, struct token token, uint64_t number, enum work_what what, const char *detail)
{
    struct work_frame frame = {.kind = WORK_EVENT,
                               .token = token,
                               .number = number,
                               .what = what,
                               .event = {"{}", 2},
                               .body = {detail, strlen(detail)}};
    work(self, &frame);
    assert_int_equal(hear_work(self, WORK_ACK).number, number);
}

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
        assert_string_equal(answer, "{\"ok\":true,\"seq\":1}"); /* sent twice, kept once */
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
