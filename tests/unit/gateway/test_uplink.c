/* The uplink against a broker made of two sockets, which the test itself plays step by step. */
#include "uplink.h"

#include "clock.h"
#include "wire/feed_frame.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#define WAIT_MS 10000
#define BEAT_MS 200

struct peer { /* a gateway's address at the ROUTER */
    char id[64];
    int len;
};

struct fixture {
    char dir[32];
    struct settings settings;
    void *zmq, *router, *xpub;
    struct uplink *uplink;
    struct peer peer; /* of the last request read */
    char request[4096];

    pthread_mutex_t lock; /* guards what the callbacks note */
    pthread_cond_t changed;
    uint64_t link; /* as the feed was told */
    int links_told, batches, answers, accepted;
    bool full; /* the feed has no room */
    uint64_t last_batch;
    struct uplink_answer answer;
};

static void endpoint_of(const struct fixture *self, const char *name, char out[64])
{
    snprintf(out, 64, "ipc://%s/%s", self->dir, name);
}

static void broker_up(struct fixture *self)
{
    char endpoint[64];
    int zero = 0;
    self->zmq = zmq_ctx_new();
    self->router = zmq_socket(self->zmq, ZMQ_ROUTER);
    self->xpub = zmq_socket(self->zmq, ZMQ_XPUB);
    zmq_setsockopt(self->router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(self->xpub, ZMQ_LINGER, &zero, sizeof zero);
    endpoint_of(self, "requests", endpoint);
    assert_int_equal(zmq_bind(self->router, endpoint), 0);
    endpoint_of(self, "feed", endpoint);
    assert_int_equal(zmq_bind(self->xpub, endpoint), 0);
}

static void broker_down(struct fixture *self)
{
    zmq_close(self->router);
    zmq_close(self->xpub);
    zmq_ctx_term(self->zmq);
}

static bool wait_readable(void *socket, int64_t deadline)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    int64_t left = deadline - clock_monotonic_ms();
    return left > 0 && zmq_poll(&item, 1, left) == 1;
}

/* The next new subscription to a link. */
static uint64_t await_link(struct fixture *self)
{
    char frame[64];
    uint64_t link;
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (wait_readable(self->xpub, deadline)) {
        int len = zmq_recv(self->xpub, frame, sizeof frame, 0);
        if (len > 0 && frame[0] == 1 && feed_topic_parse(frame, (size_t)len, &link))
            return link;
    }
    fail_msg("no link was opened");
    return 0;
}

static void await_unlink(struct fixture *self, uint64_t gone)
{
    char frame[64];
    uint64_t link;
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (wait_readable(self->xpub, deadline)) {
        int len = zmq_recv(self->xpub, frame, sizeof frame, 0);
        if (len > 0 && frame[0] == 0 && feed_topic_parse(frame, (size_t)len, &link) && link == gone)
            return;
    }
    fail_msg("the old link was not closed");
}

static void send_batch(struct fixture *self, uint64_t link, uint64_t term, uint64_t number, uint32_t count)
{
    struct buf out = BUF_INIT(10000);
    char topic[FEED_TOPIC_MAX];
    assert_int_equal(feed_batch_open(&out, term), ERR_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct feed_record record = {.kind = FEED_EVENT, .chat = {"c", 1}, .seq = number, .body = {"{}", 2}};
        assert_int_equal(feed_batch_add(&out, &record), ERR_OK);
    }
    feed_batch_close(&out, number, count);
    zmq_send(self->xpub, topic, feed_topic(link, topic), ZMQ_SNDMORE);
    zmq_send(self->xpub, out.data, out.len, 0);
    buf_fini(&out);
}

/* The next request of that kind; beats in between keep the link alive as the test goes on. */
static struct request_frame await_request(struct fixture *self, enum request_kind kind)
{
    struct request_frame frame = {.kind = REQUEST_HELLO};
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (wait_readable(self->router, deadline)) {
        struct peer peer;
        peer.len = zmq_recv(self->router, peer.id, sizeof peer.id, 0);
        int len = zmq_recv(self->router, self->request, sizeof self->request, 0);
        assert_true(len > 0 && (size_t)len <= sizeof self->request);
        assert_int_equal(request_frame_read(&frame, self->request, (size_t)len), ERR_OK);
        self->peer = peer;
        if (frame.kind == kind)
            return frame;
    }
    fail_msg("request %d did not come", kind);
    return frame;
}

static void send_to_gateway(struct fixture *self, const struct request_frame *frame)
{
    struct buf out = BUF_INIT(10000);
    assert_int_equal(request_frame_write(frame, &out), ERR_OK);
    zmq_send(self->router, self->peer.id, (size_t)self->peer.len, ZMQ_SNDMORE);
    zmq_send(self->router, out.data, out.len, 0);
    buf_fini(&out);
}

static void on_link(void *ctx, uint64_t link)
{
    struct fixture *self = ctx;
    pthread_mutex_lock(&self->lock);
    self->link = link;
    self->links_told++;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static bool on_batch(void *ctx, uint64_t link, const void *bytes, size_t len)
{
    struct fixture *self = ctx;
    struct feed_batch head;
    struct unpack rest;
    enum err err = feed_batch_read(&head, &rest, bytes, len);
    pthread_mutex_lock(&self->lock);
    bool room = !self->full;
    if (err == ERR_OK && room && link == self->link) {
        self->batches += head.count > 0;
        self->last_batch = head.number;
    }
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
    return room;
}

static void on_answer(void *ctx, const struct uplink_answer *answer)
{
    struct fixture *self = ctx;
    pthread_mutex_lock(&self->lock);
    self->answers++;
    self->answer = *answer;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

static void on_accepted(void *ctx, const char *job_id)
{
    struct fixture *self = ctx;
    pthread_mutex_lock(&self->lock);
    self->accepted += strcmp(job_id, "job-1") == 0;
    pthread_cond_broadcast(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

/* Waits until *number is at least `value` (or, for the link, equal). */
static void await_number(struct fixture *self, const int *number, int value)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    int waited = 0;
    pthread_mutex_lock(&self->lock);
    while (*number < value && waited == 0)
        waited = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    int seen = *number;
    pthread_mutex_unlock(&self->lock);
    assert_true(seen >= value);
}

static void await_ready(struct fixture *self, bool ready)
{
    int64_t deadline = clock_monotonic_ms() + WAIT_MS;
    while (uplink_ready(self->uplink) != ready && clock_monotonic_ms() < deadline)
        poll(NULL, 0, 1);
    assert_int_equal(uplink_ready(self->uplink), ready);
}

static uint64_t open_link(struct fixture *self, uint64_t term)
{
    uint64_t link = await_link(self);
    send_batch(self, link, term, 0, 0);
    await_ready(self, true);
    return link;
}

static struct uplink_call *call(struct fixture *self, int deadline_ms)
{
    struct uplink_call *handle;
    struct uplink_request request = {.call = CALL_EXECUTE,
                                     .chat = "c",
                                     .body = "{}",
                                     .len = 2,
                                     .deadline_ms = deadline_ms,
                                     .on_answer = on_answer,
                                     .on_accepted = on_accepted,
                                     .ctx = self};
    assert_int_equal(uplink_call(self->uplink, &request, &handle), ERR_OK);
    return handle;
}

static struct uplink_feed feed;

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct fault why;
    strcpy(self->dir, "/tmp/uplink-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->changed, NULL);
    self->settings.wire.run_dir = self->dir;
    self->settings.wire.requests = self->settings.wire.feed = "";
    self->settings.wire.beat_ms = BEAT_MS;
    self->settings.wire.link_window = 8;
    feed = (struct uplink_feed){self, on_link, on_batch};
    broker_up(self);
    assert_int_equal(uplink_start(&self->uplink, &self->settings, &feed, &why), ERR_OK);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    char path[64];
    uplink_stop(&self->uplink);
    broker_down(self);
    snprintf(path, sizeof path, "%s/requests", self->dir);
    unlink(path);
    snprintf(path, sizeof path, "%s/feed", self->dir);
    unlink(path);
    assert_int_equal(rmdir(self->dir), 0);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    free(self);
    return 0;
}

static void a_link_opens_with_its_first_batch_and_beats_acknowledge(void **state)
{
    struct fixture *self = *state;
    uint64_t link = await_link(self);
    assert_false(uplink_ready(self->uplink));
    send_batch(self, link, 3, 1, 2);
    await_number(self, &self->batches, 1);
    assert_true(self->link == link);
    send_batch(self, link, 3, 2, 1);
    await_number(self, &self->batches, 2);
    struct request_frame beat = await_request(self, REQUEST_BEAT);
    while (beat.number < 2)
        beat = await_request(self, REQUEST_BEAT);
    assert_true(beat.link == link);
    assert_int_equal(uplink_links_opened(self->uplink), 1);
}

static void check_new_link(struct fixture *self, uint64_t old)
{
    await_unlink(self, old);
    uint64_t link = open_link(self, 4);
    assert_true(link != old);
    assert_int_equal(uplink_links_opened(self->uplink), 2);
    await_number(self, &self->links_told, 3); /* open, lost, open */
}

static void a_hole_opens_a_new_link(void **state)
{
    struct fixture *self = *state;
    uint64_t link = open_link(self, 3);
    send_batch(self, link, 3, 2, 1);
    check_new_link(self, link);
    assert_int_equal(self->batches, 0);
}

static void missing_beats_open_a_new_link(void **state)
{
    struct fixture *self = *state;
    check_new_link(self, open_link(self, 3));
}

static void another_term_opens_a_new_link(void **state)
{
    struct fixture *self = *state;
    uint64_t link = open_link(self, 3);
    send_batch(self, link, 4, 0, 0);
    check_new_link(self, link);
}

static void hello_opens_a_new_link(void **state)
{
    struct fixture *self = *state;
    uint64_t link = open_link(self, 3);
    await_request(self, REQUEST_BEAT);
    send_to_gateway(self, &(struct request_frame){.kind = REQUEST_HELLO, .number = 3});
    check_new_link(self, link);
}

static void a_call_is_sent_accepted_and_answered(void **state)
{
    struct fixture *self = *state;
    uint64_t link = open_link(self, 3);
    struct uplink_call *handle = call(self, WAIT_MS);
    struct request_frame frame = await_request(self, REQUEST_CALL);
    assert_true(frame.link == link && frame.call == CALL_EXECUTE);
    assert_string_equal(frame.chat, "c");
    struct request_frame reply = {.kind = REQUEST_ACCEPTED, .body = {"job-1", 5}, .status = 200};
    memcpy(reply.id, frame.id, sizeof reply.id);
    send_to_gateway(self, &reply);
    await_number(self, &self->accepted, 1);
    reply.kind = REQUEST_ANSWER;
    send_to_gateway(self, &reply);
    await_number(self, &self->answers, 1);
    assert_int_equal(self->answer.status, 200);
    assert_false(self->answer.own);
    uplink_forget(&handle);
}

static void a_call_in_flight_is_sent_again_under_its_id_after_a_broker_restart(void **state)
{
    struct fixture *self = *state;
    open_link(self, 3);
    struct uplink_call *handle = call(self, WAIT_MS);
    struct request_frame first = await_request(self, REQUEST_CALL);
    broker_down(self);
    await_ready(self, false);
    broker_up(self);
    uint64_t link = open_link(self, 4);
    struct request_frame again = await_request(self, REQUEST_CALL);
    assert_true(again.link == link);
    assert_memory_equal(first.id, again.id, sizeof first.id);
    struct request_frame reply = {.kind = REQUEST_ANSWER, .status = 201, .body = {"{}", 2}};
    memcpy(reply.id, again.id, sizeof reply.id);
    send_to_gateway(self, &reply);
    await_number(self, &self->answers, 1);
    assert_int_equal(self->answer.status, 201);
    uplink_forget(&handle);
}

static void a_call_that_could_never_be_sent_gets_503(void **state)
{
    struct fixture *self = *state;
    struct uplink_call *handle = call(self, 200);
    await_number(self, &self->answers, 1);
    assert_int_equal(self->answer.status, 503);
    assert_true(self->answer.own && !self->answer.sent);
    uplink_forget(&handle);
}

static void the_broker_is_told_of_a_forgotten_call(void **state)
{
    struct fixture *self = *state;
    open_link(self, 3);
    struct uplink_call *handle = call(self, WAIT_MS);
    struct request_frame frame = await_request(self, REQUEST_CALL);
    uplink_forget(&handle);
    struct request_frame forget = await_request(self, REQUEST_FORGET);
    assert_memory_equal(forget.id, frame.id, sizeof frame.id);
    assert_int_equal(self->answers, 0);
}

static void stopping_answers_what_waits(void **state)
{
    struct fixture *self = *state;
    open_link(self, 3);
    struct uplink_call *handle = call(self, WAIT_MS);
    await_request(self, REQUEST_CALL);
    uplink_stop(&self->uplink);
    assert_int_equal(self->answers, 1);
    assert_int_equal(self->answer.status, 504);
    uplink_forget(&handle);
}

static void attaches_go_to_their_own_link_only(void **state)
{
    struct fixture *self = *state;
    uint64_t link = open_link(self, 3);
    struct uplink_attach attach = {
        .link = link + 1, .attach = 1, .chat = "old", .has_since = true, .since = 9, .epoch = "e"};
    assert_int_equal(uplink_attach(self->uplink, &attach), ERR_OK);
    attach.link = link;
    attach.attach = 2;
    attach.chat = "new";
    assert_int_equal(uplink_attach(self->uplink, &attach), ERR_OK);
    assert_int_equal(uplink_detach(self->uplink, link, 2), ERR_OK);
    struct request_frame frame = await_request(self, REQUEST_ATTACH);
    assert_string_equal(frame.chat, "new");
    assert_string_equal(frame.epoch, "e");
    assert_true(frame.attach == 2 && frame.has_since && frame.since == 9);
    assert_true(await_request(self, REQUEST_DETACH).attach == 2);
}

static void a_feed_without_room_is_not_acknowledged_and_loses_nothing(void **state)
{
    struct fixture *self = *state;
    uint64_t link = open_link(self, 3);
    pthread_mutex_lock(&self->lock);
    self->full = true;
    pthread_mutex_unlock(&self->lock);
    for (uint64_t n = 1; n <= 8; n++)
        send_batch(self, link, 3, n, 1);
    /* Longer than the beats that may be missing: deafness of our own is not the broker's silence. */
    for (int beats = 0; beats < 6; beats++)
        assert_int_equal(await_request(self, REQUEST_BEAT).number, 0);
    assert_int_equal(self->batches, 0);
    pthread_mutex_lock(&self->lock);
    self->full = false;
    pthread_mutex_unlock(&self->lock);
    uplink_feed_drained(self->uplink);
    await_number(self, &self->batches, 8);
    struct request_frame beat = await_request(self, REQUEST_BEAT);
    while (beat.number < 8)
        beat = await_request(self, REQUEST_BEAT);
    assert_int_equal(uplink_links_opened(self->uplink), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_link_opens_with_its_first_batch_and_beats_acknowledge),
        TEST(a_hole_opens_a_new_link),
        TEST(missing_beats_open_a_new_link),
        TEST(another_term_opens_a_new_link),
        TEST(hello_opens_a_new_link),
        TEST(a_call_is_sent_accepted_and_answered),
        TEST(a_call_in_flight_is_sent_again_under_its_id_after_a_broker_restart),
        TEST(a_call_that_could_never_be_sent_gets_503),
        TEST(the_broker_is_told_of_a_forgotten_call),
        TEST(stopping_answers_what_waits),
        TEST(attaches_go_to_their_own_link_only),
        TEST(a_feed_without_room_is_not_acknowledged_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
