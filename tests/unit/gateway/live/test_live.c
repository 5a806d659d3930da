/* The WebSocket server on a real port, without a broker: handshakes, limits, small answers, the end. What a broker adds
 * is held to account by the hub's tests and the system tests. */
#include "live/live.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS     10000
#define MESSAGE_MAX 4096
#define CONNECTIONS 2
#define HANDSHAKE(path)                                                                                                \
    "GET " path " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"                        \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

struct fixture {
    char dir[32];
    struct settings settings;
    struct live *live;
    struct uplink *uplink;
};

static int set_up(void **state)
{
    struct fixture *self = calloc(1, sizeof *self);
    struct fault why;
    strcpy(self->dir, "/tmp/live-XXXXXX");
    assert_non_null(mkdtemp(self->dir));
    self->settings.wire.run_dir = self->dir;
    self->settings.wire.requests = self->settings.wire.feed = "";
    self->settings.wire.beat_ms = 1000;
    self->settings.wire.link_window = 8;
    self->settings.chat_workflows.max_connections = CONNECTIONS;
    self->settings.chat_workflows.websocket.host = "127.0.0.1";
    self->settings.chat_workflows.websocket.ping_interval = 30;
    self->settings.chat_workflows.websocket.ping_timeout = 10;
    self->settings.chat_workflows.websocket.message_bytes_max = MESSAGE_MAX;
    self->settings.chat_workflows.websocket.queue_bytes_max = 65536;
    assert_int_equal(live_new(&self->live, &self->settings, &why), ERR_OK);
    assert_int_equal(uplink_start(&self->uplink, &self->settings, live_feed(self->live), &why), ERR_OK);
    if (live_start(self->live, self->uplink, &why) != ERR_OK)
        fail_msg("%s", why.text);
    *state = self;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *self = *state;
    live_stop(self->live, 2000);
    uplink_stop(&self->uplink);
    live_destroy(&self->live);
    assert_int_equal(rmdir(self->dir), 0);
    free(self);
    return 0;
}

static int dial(struct fixture *self, const char *request)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(live_port(self->live))};
    struct timeval limit = {WAIT_MS / 1000, 0};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    return fd;
}

/* Reads until `part` has come; what was read stands in out. */
static void await_text(int fd, const char *part, char out[2000])
{
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < 1999 && !memmem(out, len, part, strlen(part))) {
        got = recv(fd, out + len, 1999 - len, 0);
        len += got > 0 ? (size_t)got : 0;
    }
    out[len] = '\0';
    if (!memmem(out, len, part, strlen(part)))
        fail_msg("'%s' did not come", part);
}

static void await_end(int fd)
{
    char rest[2000];
    ssize_t got = 1;
    while (got > 0)
        got = recv(fd, rest, sizeof rest, 0);
    assert_int_equal(got, 0);
    close(fd);
}

static void send_masked(int fd, unsigned char head, const char *text, size_t len)
{
    unsigned char frame[8 + MESSAGE_MAX + 100] = {head, (unsigned char)(0x80 | (len < 126 ? len : 126))};
    size_t at = 2;
    if (len >= 126) {
        frame[at++] = (unsigned char)(len >> 8);
        frame[at++] = (unsigned char)len;
    }
    at += 4; /* a mask of zeros */
    memcpy(frame + at, text, len);
    assert_int_equal(send(fd, frame, at + len, 0), at + len);
}

static void a_plain_request_is_told_what_this_is(void **state)
{
    char answer[2000];
    int fd = dial(*state, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await_text(fd, "reachable", answer);
    assert_memory_equal(answer, "HTTP/1.1 426 ", 13);
    await_end(fd);
}

static void the_guides_key_is_refused_with_the_reason(void **state)
{
    char answer[2000];
    int fd = dial(*state, "GET /chat/test HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: test\r\n\r\n");
    await_text(fd, "not 16 bytes", answer);
    assert_memory_equal(answer, "HTTP/1.1 400 ", 13);
    await_end(fd);
}

static void messages_are_answered_without_a_broker(void **state)
{
    char answer[2000];
    int fd = dial(*state, HANDSHAKE("/chat"));
    await_text(fd, "\"chat_id\":null", answer);
    assert_memory_equal(answer, "HTTP/1.1 101 ", 13);
    send_masked(fd, 0x81, "{\"type\":\"ping\"}", 15);
    await_text(fd, "\x81\x0f{\"type\":\"pong\"}", answer);
    send_masked(fd, 0x01, "pi", 2); /* in two fragments */
    send_masked(fd, 0x80, "ng", 2);
    await_text(fd, "pong", answer);
    send_masked(fd, 0x82, "nope", 4);
    await_text(fd, "Invalid JSON", answer);
    send_masked(fd, 0x81, "{\"a\":1}", 7);
    await_text(fd, "{\"type\":\"ack\",\"original\":{\"a\":1}", answer);
    send_masked(fd, 0x88, "\x03\xe8", 2);
    await_text(fd, "\x88\x02\x03\xe8", answer);
    await_end(fd);
}

static void too_long_or_broken_messages_close_the_socket(void **state)
{
    char answer[2000], text[MESSAGE_MAX + 1];
    memset(text, 'x', sizeof text);
    int fd = dial(*state, HANDSHAKE("/"));
    send_masked(fd, 0x81, text, MESSAGE_MAX);
    await_text(fd, "Invalid JSON", answer);
    send_masked(fd, 0x81, text, MESSAGE_MAX + 1);
    await_text(fd, "\x03\xf1message too big", answer);
    send_masked(fd, 0x88, "\x03\xf1", 2);
    await_end(fd);
    fd = dial(*state, HANDSHAKE("/"));
    send_masked(fd, 0x81, "\xff\xfe", 2);
    await_text(fd, "\x03\xef", answer);
    send_masked(fd, 0x88, "\x03\xef", 2);
    await_end(fd);
}

static void await_sockets(struct fixture *self, uint64_t count)
{
    for (int i = 0; i < WAIT_MS && atomic_load(&live_counters(self->live)->sockets) != count; i++)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&live_counters(self->live)->sockets), count);
}

static void beyond_the_limit_a_socket_is_told_and_closed_and_a_place_is_free_at_once(void **state)
{
    struct fixture *self = *state;
    char answer[2000];
    int first = dial(self, HANDSHAKE("/")), second = dial(self, HANDSHAKE("/chat/c"));
    await_text(first, "connected", answer);
    await_sockets(self, 2);
    int third = dial(self, HANDSHAKE("/"));
    await_text(third, "maximum connections reached: try again later", answer);
    assert_non_null(strstr(answer, "{\"type\":\"error\",\"message\":\"Maximum connections reached\""));
    close(third);
    struct linger reset = {1, 0};
    setsockopt(second, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(second); /* with a reset */
    await_sockets(self, 1);
    second = dial(self, HANDSHAKE("/"));
    await_text(second, "connected", answer);
    close(first);
    close(second);
    assert_int_equal(atomic_load(&live_counters(self->live)->refused_full), 1);
}

static void stopping_says_going_away(void **state)
{
    struct fixture *self = *state;
    struct fault why;
    char answer[2000];
    int fd = dial(self, HANDSHAKE("/"));
    await_text(fd, "connected", answer);
    live_stop(self->live, 200);
    await_text(fd, "\x03\xe9server stops", answer);
    close(fd);
    assert_int_equal(live_start(self->live, self->uplink, &why), ERR_OK); /* for the end of this test */
}

static void a_taken_port_is_a_fault(void **state)
{
    struct fixture *self = *state;
    struct settings settings = self->settings;
    struct live *other;
    struct fault why;
    settings.chat_workflows.websocket.port = live_port(self->live);
    assert_int_equal(live_new(&other, &settings, &why), ERR_OK);
    assert_int_not_equal(live_start(other, self->uplink, &why), ERR_OK);
    assert_non_null(strstr(why.text, "cannot listen on 127.0.0.1"));
    live_destroy(&other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_request_is_told_what_this_is),
        TEST(the_guides_key_is_refused_with_the_reason),
        TEST(messages_are_answered_without_a_broker),
        TEST(too_long_or_broken_messages_close_the_socket),
        TEST(beyond_the_limit_a_socket_is_told_and_closed_and_a_place_is_free_at_once),
        TEST(stopping_says_going_away),
        TEST(a_taken_port_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
