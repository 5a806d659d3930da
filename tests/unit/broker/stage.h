/* stage - the whole broker in a thread, over real sockets in a folder of its own, with a gateway and a worker played by
 * the test. Included by the tests of this folder that need sockets. */
#ifndef STAGE_H
#define STAGE_H

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

#define UNUSED  __attribute__((unused))
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
    bool said[256];          /* request ids that were used */
};

static char texts[8][256];

static UNUSED const char *in_folder(struct stage *self, int i, const char *format)
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

static UNUSED void start(struct stage *self)
{
    struct fault why = {.text = ""};
    if (broker_open(&self->broker, &self->settings, &why) != ERR_OK)
        fail_msg("%s", why.text);
    self->stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&self->thread, NULL, run_broker, self), 0);
}

static UNUSED void stop(struct stage *self)
{
    assert_int_equal(eventfd_write(self->stop_fd, 1), 0);
    pthread_join(self->thread, NULL);
    assert_int_equal(self->result, ERR_OK);
    close(self->stop_fd);
    broker_close(&self->broker);
}

static UNUSED void *connect_to(struct stage *self, enum endpoint which)
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

static UNUSED int setup(void **state)
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

static UNUSED int teardown(void **state)
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

static UNUSED void say(struct stage *self, const struct request_frame *frame)
{
    struct buf bytes = BUF_INIT((size_t)1 << 20);
    assert_int_equal(request_frame_write(frame, &bytes), ERR_OK);
    if (zmq_send(self->requests, bytes.data, bytes.len, 0) < 0)
        fail_msg("request not sent: %s", zmq_strerror(zmq_errno()));
    buf_fini(&bytes);
}

/* The next answer of that kind; borrowed until the next call. */
static UNUSED struct request_frame hear(struct stage *self, enum request_kind kind)
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

static UNUSED void call(struct stage *self, enum call what, unsigned char id, const char *body)
{
    struct request_frame frame = {.kind = REQUEST_CALL,
                                  .link = LINK,
                                  .id = {id},
                                  .again = self->said[id],
                                  .call = what,
                                  .chat = "c1",
                                  .body = {body, strlen(body)}};
    self->said[id] = true;
    say(self, &frame);
}

static UNUSED void expect_answer(struct stage *self, enum call what, unsigned char id, const char *body,
                                 uint16_t status, const char *part)
{
    call(self, what, id, body);
    struct request_frame answer = hear(self, REQUEST_ANSWER);
    char text[65536];
    snprintf(text, sizeof text, "%.*s %.*s", (int)answer.message.len, answer.message.at, (int)answer.body.len,
             answer.body.at);
    if (answer.status != status || !strstr(text, part))
        fail_msg("%s: %u %s", call_name(what), answer.status, text);
}

static UNUSED void read_batch(struct stage *self)
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

static UNUSED void wait_for(struct stage *self, const char *part)
{
    while (!strstr(buf_text(&self->seen), part))
        read_batch(self);
}

static UNUSED void open_link(struct stage *self)
{
    char topic[FEED_TOPIC_MAX];
    size_t len = feed_topic(LINK, topic);
    assert_int_equal(zmq_setsockopt(self->feed, ZMQ_SUBSCRIBE, topic, len), 0);
    read_batch(self); /* a beat: the link is open */
}

/* ---- the worker's part ---- */

static UNUSED void work(struct stage *self, struct work_frame *frame)
{
    struct buf bytes = BUF_INIT((size_t)1 << 20);
    strcpy(frame->worker, "w1");
    assert_int_equal(work_frame_write(frame, &bytes), ERR_OK);
    assert_true(zmq_send(self->work, bytes.data, bytes.len, 0) > 0);
    buf_fini(&bytes);
}

static UNUSED struct work_frame hear_work(struct stage *self, enum work_kind kind)
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

static UNUSED void hello(struct stage *self)
{
    work(self, &(struct work_frame){.kind = WORK_HELLO, .slots = 2, .free_slots = 2});
    hear_work(self, WORK_WELCOME);
}

static UNUSED void report(struct stage *self, struct token token, uint64_t number, enum work_what what,
                          const char *detail)
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

#endif
