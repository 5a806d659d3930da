/* A real router against libzmq's own sockets and against bare ones that say what libzmq never would. One thread does it
 * all: whoever waits for a peer lets the router work meanwhile (wait_on). */
#include "ports/router.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#define PATIENCE_MS 60000
#define BODY_MAX    ((size_t)6 << 20)
#define OUT_MAX     ((size_t)32 << 20)
#define STANDARD    3 /* input, output, errors */
#define PEERS_MAX   4096
#define LARGEST     ((size_t)5 << 20)
#define GREETING    "\xFF\0\0\0\0\0\0\0\1\x7F\3\1NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define READY       "\4\34\5READY\13Socket-Type\0\0\0\6DEALER"
#define OUR_SAY     (ZMTP_GREETING + 30) /* bytes a router says before messages: greeting and READY */

static char folder[] = "/tmp/sheetwire-router-XXXXXX";
static void *context;
static struct fault why;
static char large[LARGEST];

/* ---- routers ---- */

static int free_port(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&to, &len), 0);
    close(fd);
    return ntohs(to.sin_port);
}

/* A router and where to find it. */
struct place {
    struct router *router;
    char address[256];
    int port; /* 0: ipc */
};

static enum err try_open(struct place *self, size_t body_max, size_t out_max)
{
    const struct router_settings settings = {.peers_max = PEERS_MAX,
                                             .name = "test",
                                             .address = self->address,
                                             .limits = {.body_max = body_max, .out_max = out_max}};
    why = (struct fault){.text = ""};
    return router_open(&self->router, &settings, &why);
}

static void open_place(struct place *self, bool ipc, size_t body_max, size_t out_max)
{
    self->port = ipc ? 0 : free_port();
    if (ipc)
        snprintf(self->address, sizeof self->address, "ipc://%s/socket", folder);
    else
        snprintf(self->address, sizeof self->address, "tcp://127.0.0.1:%d", self->port);
    if (try_open(self, body_max, out_max) != ERR_OK)
        fail_msg("%s", why.text);
}

static void close_place(struct place *self)
{
    router_close(&self->router, 0);
    assert_null(self->router);
}

static bool is_due(int64_t until_ms)
{
    return clock_monotonic_ms() > until_ms;
}

/* Sleeps until the router or the descriptor (-1: none) has news. */
static void wait_on(const struct place *self, int fd, short events, int64_t until_ms)
{
    struct pollfd waits[] = {{.fd = router_fd(self->router), .events = POLLIN}, {.fd = fd, .events = events}};
    int64_t left = until_ms - clock_monotonic_ms();
    if (poll(waits, 2, left > 0 ? (int)left : 0) <= 0)
        fail_msg("waited in vain");
}

/* The router does what there is to do, none of which is a message. */
static void work(struct place *self)
{
    struct router_message message;
    assert_false(router_take(self->router, &message));
    router_flush(self->router);
}

static void take(struct place *self, struct router_message *out)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (!router_take(self->router, out)) {
        router_flush(self->router);
        if (!router_waits(self->router))
            wait_on(self, -1, 0, until);
    }
}

static void expect_part(const struct router_message *message, int i, const void *bytes, size_t len)
{
    assert_int_equal(message->of.part[i].len, len);
    assert_memory_equal(message->of.part[i].at, bytes, len);
}

static void take_text(struct place *self, struct router_message *out, const char *text)
{
    take(self, out);
    assert_int_equal(out->of.count, 1);
    expect_part(out, 0, text, strlen(text));
}

static void answer(struct place *self, const struct router_message *to, const char *text)
{
    assert_int_equal(router_send(self->router, to->peer, ROUTER_PEER_LEN, (struct bytes){text, strlen(text)}), ERR_OK);
    router_flush(self->router);
}

/* ---- peers with libzmq ---- */

static void *open_peer_at(int type, const char *address)
{
    int none = 0, ipv6 = strchr(address, '[') != NULL;
    void *socket = zmq_socket(context, type);
    assert_non_null(socket);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    assert_int_equal(zmq_connect(socket, address), 0);
    return socket;
}

static void *open_peer(const struct place *place, int type)
{
    return open_peer_at(type, place->address);
}

static void expect_answer(struct place *self, void *socket, const void *bytes, size_t len)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, socket, ZMQ_DONTWAIT) < 0) {
        zmq_pollitem_t items[] = {{.socket = socket, .events = ZMQ_POLLIN},
                                  {.fd = router_fd(self->router), .events = ZMQ_POLLIN}};
        assert_int_equal(zmq_errno(), EAGAIN);
        assert_false(is_due(until));
        assert_true(zmq_poll(items, 2, PATIENCE_MS) >= 0);
        work(self);
    }
    assert_int_equal(zmq_msg_size(&message), len);
    assert_memory_equal(zmq_msg_data(&message), bytes, len);
    assert_false(zmq_msg_more(&message));
    zmq_msg_close(&message);
}

/* ---- bare peers ---- */

static int make_bare(const struct place *place)
{
    int fd = socket(place->port ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    return fd;
}

static void connect_bare(const struct place *place, int fd)
{
    if (place->port) {
        struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)place->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    } else {
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        snprintf(to.sun_path, sizeof to.sun_path, "%s", place->address + strlen("ipc://"));
        assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    }
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static int open_bare(const struct place *place)
{
    int fd = make_bare(place);
    connect_bare(place, fd);
    return fd;
}

static void say(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

#define SAY(fd, literal) say(fd, literal, sizeof literal - 1)

static void say_greeting(int fd)
{
    char greeting[ZMTP_GREETING] = GREETING;
    say(fd, greeting, sizeof greeting);
}

/* Reads exactly so much while the router works. */
static void hear(struct place *self, int fd, void *out, size_t len)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    for (size_t done = 0; done < len;) {
        ssize_t got = recv(fd, (char *)out + done, len - done, 0);
        if (got <= 0) {
            assert_true(got < 0 && errno == EAGAIN);
            work(self);
            wait_on(self, fd, POLLIN, until);
        } else
            done += (size_t)got;
    }
}

/* Until the router has closed the connection; what it said before does not matter. */
static void hear_end(struct place *self, int fd)
{
    char bytes[4096];
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            return;
        if (got < 0) {
            assert_int_equal(errno, EAGAIN);
            work(self);
            wait_on(self, fd, POLLIN, until);
        }
    }
}

static void shake(struct place *self, int fd)
{
    char bytes[OUR_SAY];
    say_greeting(fd);
    SAY(fd, READY);
    hear(self, fd, bytes, sizeof bytes);
    assert_memory_equal(bytes, zmtp_greeting, ZMTP_GREETING);
    assert_memory_equal(bytes + ZMTP_GREETING, "\4\34\5READY\13Socket-Type\0\0\0\6ROUTER", 30);
}

static int open_shaken(struct place *self)
{
    int fd = open_bare(self);
    shake(self, fd);
    return fd;
}

/* That peer is served: what it says is heard, and answered. */
static void expect_served(struct place *self, int fd)
{
    struct router_message message;
    char bytes[4];
    SAY(fd, "\0\2hi");
    take_text(self, &message, "hi");
    answer(self, &message, "ok");
    hear(self, fd, bytes, sizeof bytes);
    assert_memory_equal(bytes, "\0\2ok", 4);
}

/* ---- messages ---- */

static void send_frames(void *socket, int count)
{
    for (int i = 0; i < count; i++) {
        char text[16];
        size_t len = (size_t)snprintf(text, sizeof text, "frame %d", i);
        assert_true(zmq_send(socket, text, len, i + 1 < count ? ZMQ_SNDMORE : 0) >= 0);
    }
}

static void expect_frames(struct place *self, int count)
{
    struct router_message message;
    take(self, &message);
    assert_int_equal(message.of.count, count <= CONNECTION_PARTS ? count : CONNECTION_PARTS + 1);
    for (int i = 0; i < count && count <= CONNECTION_PARTS; i++) {
        char text[16];
        expect_part(&message, i, text, (size_t)snprintf(text, sizeof text, "frame %d", i));
    }
}

static void messages_of_any_number_of_frames_come(void **state)
{
    (void)state;
    static const int counts[] = {1, 2, 3, 100, 1, 4, 2};
    for (int ipc = 0; ipc < 2; ipc++) {
        struct place place;
        open_place(&place, ipc, BODY_MAX, OUT_MAX);
        void *dealer = open_peer(&place, ZMQ_DEALER);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            send_frames(dealer, counts[i]);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            expect_frames(&place, counts[i]);
        zmq_close(dealer);
        close_place(&place);
    }
}

static void a_requester_s_message_has_its_empty_frame(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    void *req = open_peer(&place, ZMQ_REQ);
    assert_int_equal(zmq_send(req, "question", 8, 0), 8);
    take(&place, &message);
    assert_int_equal(message.of.count, 2);
    expect_part(&message, 0, "", 0);
    expect_part(&message, 1, "question", 8);
    zmq_close(req);
    close_place(&place);
}

static void another_router_may_connect(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int mandatory = 1;
    void *router = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(router, ZMQ_CONNECT_ROUTING_ID, "far", 3);
    zmq_setsockopt(router, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof mandatory);
    assert_int_equal(zmq_connect(router, place.address), 0);
    assert_int_equal(zmq_send(router, "far", 3, ZMQ_SNDMORE), 3);
    assert_int_equal(zmq_send(router, "hello", 5, 0), 5);
    take_text(&place, &message, "hello");
    zmq_close(router);
    close_place(&place);
}

static void echo(struct place *self, void *dealer, size_t size)
{
    struct router_message message;
    assert_int_equal(zmq_send(dealer, large, size, 0), size);
    take(self, &message);
    assert_int_equal(message.of.count, 1);
    expect_part(&message, 0, large, size);
    assert_int_equal(router_send(self->router, message.peer, ROUTER_PEER_LEN, message.of.part[0]), ERR_OK);
    router_flush(self->router);
    expect_answer(self, dealer, large, size);
}

static void messages_of_any_size_go_both_ways(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 255, 256, 65536, LARGEST, 0, 16384, 70000, LARGEST - 1, 1};
    for (int ipc = 0; ipc < 2; ipc++) {
        struct place place;
        open_place(&place, ipc, BODY_MAX, OUT_MAX);
        void *dealer = open_peer(&place, ZMQ_DEALER);
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            echo(&place, dealer, sizes[i]);
        zmq_close(dealer);
        close_place(&place);
    }
}

static void two_of_the_largest_frames_make_a_message(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, true, LARGEST, OUT_MAX);
    void *dealer = open_peer(&place, ZMQ_DEALER);
    zmq_send(dealer, large, LARGEST, ZMQ_SNDMORE);
    zmq_send(dealer, large, LARGEST, 0);
    take(&place, &message);
    assert_int_equal(message.of.count, 2);
    expect_part(&message, 0, large, LARGEST);
    expect_part(&message, 1, large, LARGEST);
    zmq_close(dealer);
    close_place(&place);
}

static void more_of_the_largest_frames_are_only_too_many(void **state)
{
    (void)state;
    static const size_t sizes[] = {LARGEST, LARGEST / 2, LARGEST * 3 / 5, 100000, 100};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct place place;
        struct router_message message;
        open_place(&place, true, sizes[i], OUT_MAX);
        int fd = open_shaken(&place);
        struct buf out = BUF_INIT((size_t)64 << 20);
        for (unsigned k = 0; k < 5; k++)
            assert_int_equal(zmtp_write_frame(&out, k < 4 ? ZMTP_MORE : 0, (struct bytes){large, sizes[i]}), ERR_OK);
        for (size_t sent = 0; sent < out.len;) {
            ssize_t took = send(fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);
            if (took < 0)
                assert_int_equal(errno, EAGAIN);
            sent += took > 0 ? (size_t)took : 0;
            if (sent < out.len)
                work(&place);
        }
        take(&place, &message);
        assert_int_equal(message.of.count, CONNECTION_PARTS + 1);
        expect_served(&place, fd);
        buf_fini(&out);
        close(fd);
        close_place(&place);
    }
}

static void bytes_may_come_one_at_a_time(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    char greeting[ZMTP_GREETING] = GREETING, bytes[OUR_SAY];
    static const char rest[] = READY "\1\4chat\0\2{}";
    open_place(&place, false, BODY_MAX, OUT_MAX);
    int fd = open_bare(&place);
    for (size_t i = 0; i < sizeof greeting; i++) {
        say(fd, greeting + i, 1);
        wait_on(&place, -1, 0, clock_monotonic_ms() + PATIENCE_MS);
        work(&place);
    }
    for (size_t i = 0; i < sizeof rest - 2; i++) {
        say(fd, rest + i, 1);
        wait_on(&place, -1, 0, clock_monotonic_ms() + PATIENCE_MS);
        work(&place);
    }
    say(fd, rest + sizeof rest - 2, 1);
    take(&place, &message);
    assert_int_equal(message.of.count, 2);
    expect_part(&message, 0, "chat", 4);
    expect_part(&message, 1, "{}", 2);
    hear(&place, fd, bytes, sizeof bytes);
    close(fd);
    close_place(&place);
}

static void many_messages_of_one_write_come_in_order(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    struct buf out = BUF_INIT((size_t)1 << 20);
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int fd = open_shaken(&place);
    for (uint32_t i = 0; i < 10000; i++)
        assert_int_equal(zmtp_write_frame(&out, 0, (struct bytes){(char *)&i, sizeof i}), ERR_OK);
    say(fd, out.data, out.len);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_true(router_take(place.router, &message)); /* all of them are here: nothing is to be waited for */
        expect_part(&message, 0, &i, sizeof i);
    }
    buf_fini(&out);
    close(fd);
    close_place(&place);
}

static void peers_are_told_apart(void **state)
{
    (void)state;
    struct place place;
    struct router_message from_a, from_b;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    void *a = open_peer(&place, ZMQ_DEALER), *b = open_peer(&place, ZMQ_DEALER);
    zmq_send(a, "a", 1, 0);
    take_text(&place, &from_a, "a");
    zmq_send(b, "b", 1, 0);
    take_text(&place, &from_b, "b");
    assert_memory_not_equal(from_a.peer, from_b.peer, ROUTER_PEER_LEN);
    answer(&place, &from_b, "to b");
    answer(&place, &from_a, "to a");
    expect_answer(&place, a, "to a", 4);
    expect_answer(&place, b, "to b", 4);
    zmq_close(a);
    zmq_close(b);
    close_place(&place);
}

/* ---- fairness ---- */

/* As many messages as the socket takes. */
static void flood(int fd)
{
    static const char frame[] = "\0\5flood";
    while (send(fd, frame, sizeof frame - 1, MSG_NOSIGNAL) == sizeof frame - 1)
        ;
}

static void a_flood_does_not_keep_a_quiet_peer_waiting(void **state)
{
    (void)state;
    struct place place;
    struct router_message message = {.of.count = 0};
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int loud = open_shaken(&place), quiet = open_shaken(&place);
    for (int round = 0; round < 200; round++) {
        flood(loud);
        for (int i = 0; i < 3; i++) {
            assert_true(router_take(place.router, &message));
            expect_part(&message, 0, "flood", 5);
        }
        SAY(quiet, "\0\1?");
        bool heard = false;
        for (int i = 0; i < ROUTER_ROUND + 2 && !heard; i++) {
            assert_true(router_take(place.router, &message));
            heard = message.of.part[0].len == 1;
        }
        assert_true(heard);
    }
    close(loud);
    close(quiet);
    close_place(&place);
}

static void a_flood_does_not_keep_a_new_peer_out(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int loud = open_shaken(&place);
    flood(loud);
    assert_true(router_take(place.router, &message));
    int fresh = open_bare(&place);
    say_greeting(fresh);
    SAY(fresh, READY "\0\3new");
    bool heard = false;
    for (int i = 0; i < 4 * ROUTER_ROUND && !heard; i++) { /* it is let in, greets, is ready, speaks */
        flood(loud);
        assert_true(router_take(place.router, &message));
        heard = message.of.part[0].len == 3;
    }
    assert_true(heard);
    close(loud);
    close(fresh);
    close_place(&place);
}

/* Whoever waits behind many that have nothing more to say is still heard without waiting for news. */
static void all_of_many_peers_are_heard(void **state)
{
    (void)state;
    enum { PEERS = 1500 };
    static int peers[PEERS];
    struct place place;
    struct router_message message;
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_cur < 2 * PEERS + 100) {
        files.rlim_cur = 2 * PEERS + 100;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    }
    open_place(&place, true, BODY_MAX, OUT_MAX);
    for (int i = 0; i < PEERS; i++)
        peers[i] = open_shaken(&place);
    for (int i = 0; i < PEERS; i++)
        if (i % 2)
            SAY(peers[i], "\0\1a\0\1b\0\1c");
        else
            SAY(peers[i], "\0\1a");
    int heard = 0;
    do
        while (router_take(place.router, &message))
            heard++;
    while (router_waits(place.router));
    assert_int_equal(heard, 2 * PEERS);
    for (int i = 0; i < PEERS; i++)
        close(peers[i]);
    close_place(&place);
}

/* ---- peers that do not read, and peers that go ---- */

static int open_deaf(struct place *self)
{
    int small = 4096;
    int fd = make_bare(self);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    connect_bare(self, fd);
    shake(self, fd);
    return fd;
}

/* Numbered messages of a thousand bytes until one is refused; how many were not. */
static uint32_t fill(struct place *self, const struct router_message *to)
{
    char body[1000] = {0};
    enum err err = ERR_OK;
    uint32_t count;
    for (count = 0; err == ERR_OK; count++) {
        assert_true(count < 100000);
        memcpy(body, &count, sizeof count);
        err = router_send(self->router, to->peer, ROUTER_PEER_LEN, (struct bytes){body, sizeof body});
        router_flush(self->router);
    }
    assert_int_equal(err, ERR_FULL);
    return count - 1;
}

static void what_a_peer_does_not_read_is_bounded_and_kept_in_order(void **state)
{
    (void)state;
    for (int ipc = 0; ipc < 2; ipc++) {
        struct place place;
        struct router_message to_deaf;
        open_place(&place, ipc, BODY_MAX, 300000);
        int deaf = open_deaf(&place), other = open_shaken(&place);
        SAY(deaf, "\0\5hello");
        take_text(&place, &to_deaf, "hello");
        uint32_t accepted = fill(&place, &to_deaf);
        assert_true(accepted >= 300000 / (1000 + ZMTP_HEAD_MAX));
        expect_served(&place, other);
        for (uint32_t i = 0; i < accepted; i++) {
            char frame[1000 + ZMTP_HEAD_MAX];
            hear(&place, deaf, frame, sizeof frame);
            assert_memory_equal(frame, "\2\0\0\0\0\0\0\3\350", ZMTP_HEAD_MAX);
            assert_memory_equal(frame + ZMTP_HEAD_MAX, &i, sizeof i);
        }
        expect_served(&place, deaf);
        close(deaf);
        close(other);
        close_place(&place);
    }
}

static void wait_until_gone(struct place *self, const struct router_message *peer)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    enum err err;
    work(self);
    while ((err = router_send(self->router, peer->peer, ROUTER_PEER_LEN, (struct bytes){"x", 1})) == ERR_OK) {
        wait_on(self, -1, 0, until);
        work(self);
    }
    assert_int_equal(err, ERR_NOT_FOUND);
}

static void nobody_gets_the_id_of_a_peer_that_is_gone(void **state)
{
    (void)state;
    enum { TIMES = 50 };
    static unsigned char ids[TIMES][ROUTER_PEER_LEN];
    struct place place;
    struct router_message message;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    for (int i = 0; i < TIMES; i++) {
        int fd = open_shaken(&place);
        expect_served(&place, fd);
        SAY(fd, "\0\1i");
        take_text(&place, &message, "i");
        memcpy(ids[i], message.peer, ROUTER_PEER_LEN);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(ids[k], ids[i], ROUTER_PEER_LEN);
        close(fd);
        wait_until_gone(&place, &message);
    }
    close_place(&place);
}

static void an_id_that_never_was_is_nobody_s(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int fd = open_shaken(&place);
    SAY(fd, "\0\1i");
    take_text(&place, &message, "i");
    for (size_t len = 0; len < ROUTER_PEER_LEN; len++)
        assert_int_equal(router_send(place.router, message.peer, len, (struct bytes){"x", 1}), ERR_NOT_FOUND);
    for (size_t i = 0; i < ROUTER_PEER_LEN; i++)
        for (int bit = 0; bit < 8; bit++) {
            unsigned char other[ROUTER_PEER_LEN];
            memcpy(other, message.peer, sizeof other);
            other[i] ^= (unsigned char)(1u << bit);
            assert_int_equal(router_send(place.router, other, sizeof other, (struct bytes){"x", 1}), ERR_NOT_FOUND);
        }
    close(fd);
    close_place(&place);
}

static void what_a_peer_sent_before_it_went_is_taken(void **state)
{
    (void)state;
    enum { SENT = 1000 };
    for (int ipc = 0; ipc < 2; ipc++) {
        struct place place;
        struct router_message message;
        open_place(&place, ipc, BODY_MAX, OUT_MAX);
        int fd = open_shaken(&place), heard = 0;
        char all[3 * SENT];
        for (int i = 0; i < SENT; i++)
            memcpy(all + 3 * i, "\0\1m", 3);
        say(fd, all, sizeof all);
        assert_int_equal(shutdown(fd, SHUT_RD),
                         0); /* it hears no answer any more; on ipc sending to it fails at once */
        int64_t until = clock_monotonic_ms() + PATIENCE_MS;
        for (; heard < SENT; heard++) {
            while (!router_take(place.router, &message))
                wait_on(&place, -1, 0, until);
            expect_part(&message, 0, "m", 1);
            enum err err = router_send(place.router, message.peer, ROUTER_PEER_LEN, (struct bytes){"a", 1});
            assert_true(err == ERR_OK || (ipc && heard > 0 && err == ERR_NOT_FOUND));
            router_flush(place.router);
        }
        close(fd);
        close_place(&place);
    }
}

/* However much it sends that never becomes a message, a call ends, and says that there is more. */
static void frames_without_end_do_not_hold_the_caller(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    static char frames[(size_t)1 << 20]; /* of no bytes, more to follow */
    for (size_t i = 0; i < sizeof frames; i += 2) {
        frames[i] = ZMTP_MORE;
        frames[i + 1] = 0;
    }
    open_place(&place, false, BODY_MAX, OUT_MAX);
    int fd = open_shaken(&place), full = 0;
    for (size_t said = 0; said < 4 * sizeof frames;) {
        ssize_t put = send(fd, frames + said % 2, sizeof frames - said % 2, MSG_NOSIGNAL | MSG_DONTWAIT);
        said += put > 0 ? (size_t)put : 0;
        assert_false(router_take(place.router, &message));
        full += router_waits(place.router);
    }
    assert_true(full > 0);
    close(fd);
    close_place(&place);
}

static void a_peer_that_went_while_much_waited_for_it_is_forgotten(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, true, BODY_MAX, 300000);
    int fd = open_deaf(&place);
    SAY(fd, "\0\1i");
    take_text(&place, &message, "i");
    fill(&place, &message);
    close(fd);
    wait_on(&place, -1, 0, clock_monotonic_ms() + PATIENCE_MS);
    work(&place);
    assert_int_equal(router_send(place.router, message.peer, ROUTER_PEER_LEN, (struct bytes){"x", 1}), ERR_NOT_FOUND);
    close_place(&place);
}

/* ---- peers that break the rules ---- */

struct breach {
    const char *name;
    const char *bytes;
    size_t len;
    bool shaken; /* after a whole handshake */
};

#define BREACH(name, shaken, literal)                                                                                  \
    {                                                                                                                  \
        name, literal, sizeof literal - 1, shaken                                                                      \
    }

static void a_peer_that_breaks_the_rules_is_disconnected_alone(void **state)
{
    (void)state;
    static const struct breach breaches[] = {
        BREACH("HTTP", false, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        BREACH("ZMTP 1.0", false, "\1\0"),
        BREACH("ZMTP 2.0", false, "\xFF\0\0\0\0\0\0\0\1\x7F\1"),
        BREACH("PLAIN", false, "\xFF\0\0\0\0\0\0\0\1\x7F\3\1PLAIN"),
        BREACH("CURVE", false, "\xFF\0\0\0\0\0\0\0\1\x7F\3\1CURVE"),
        BREACH("command between frames", true, "\1\1a\4\7\4PING\0\1\0\1b"),
        BREACH("command behind too many frames", true, "\1\1a\1\1b\1\1c\4\7\4PING\0\1\0\1d"),
        BREACH("reserved flag", true, "\10\1a"),
        BREACH("command with more", true, "\5\7\4PING\0\1"),
        BREACH("no command", true, "\4\1\5"),
        BREACH("too short a PING", true, "\4\6\4PING\0"),
        BREACH("too long a PING", true, "\4\30\4PING\0\1seventeen bytes.."),
        BREACH("too large", true, "\2\0\0\0\0\0\1\0\0"),
        BREACH("far too large", true, "\2\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"),
    };
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
        struct place place;
        open_place(&place, i % 2, 65535, OUT_MAX);
        int good = open_shaken(&place);
        int bad = breaches[i].shaken ? open_shaken(&place) : open_bare(&place);
        print_message("%s\n", breaches[i].name);
        say(bad, breaches[i].bytes, breaches[i].len);
        hear_end(&place, bad);
        expect_served(&place, good);
        close(bad);
        close(good);
        close_place(&place);
    }
}

static void nothing_but_a_ready_follows_the_greeting(void **state)
{
    (void)state;
    static const struct breach breaches[] = {
        BREACH("a message", true, "\0\5early"), BREACH("PING", true, "\4\7\4PING\0\1"),
        BREACH("ERROR", true, "\4\7\5ERROR\0"), BREACH("a SUB", true, "\4\31\5READY\13Socket-Type\0\0\0\3SUB"),
        BREACH("no type", true, "\4\6\5READY"), BREACH("a cut value", true, "\4\33\5READY\13Socket-Type\0\0\0\6DEALE"),
    };
    struct place place;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
        int bad = open_bare(&place);
        print_message("%s\n", breaches[i].name);
        say_greeting(bad);
        say(bad, breaches[i].bytes, breaches[i].len);
        hear_end(&place, bad);
        close(bad);
    }
    int good = open_shaken(&place);
    expect_served(&place, good);
    close(good);
    close_place(&place);
}

static void a_frame_of_exactly_the_limit_is_taken(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, false, 70000, OUT_MAX);
    void *dealer = open_peer(&place, ZMQ_DEALER);
    zmq_send(dealer, large, 70000, 0);
    take(&place, &message);
    expect_part(&message, 0, large, 70000);
    zmq_send(dealer, large, 70001, 0);
    wait_until_gone(&place, &message);
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (!router_take(place.router, &message)) { /* libzmq connects again; what it sends before is lost */
        struct pollfd news = {.fd = router_fd(place.router), .events = POLLIN};
        assert_false(is_due(until));
        zmq_send(dealer, "back", 4, ZMQ_DONTWAIT);
        poll(&news, 1, 50);
    }
    expect_part(&message, 0, "back", 4);
    zmq_close(dealer);
    close_place(&place);
}

static void a_ping_between_messages_is_answered(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    char pong[10];
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int fd = open_shaken(&place);
    SAY(fd, "\0\1a\4\12\4PING\0\1ctx\0\1b");
    take_text(&place, &message, "a");
    take_text(&place, &message, "b");
    hear(&place, fd, pong, sizeof pong);
    assert_memory_equal(pong, "\4\10\4PONGctx", 10);
    SAY(fd, "\4\5\4PONG\4\7\5ERROR\0\4\4\3NEW\0\1c"); /* other commands are nothing to us */
    take_text(&place, &message, "c");
    expect_served(&place, fd);
    close(fd);
    close_place(&place);
}

static void pings_of_a_peer_that_does_not_read_are_bounded(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    struct buf out = BUF_INIT((size_t)1 << 20);
    open_place(&place, true, BODY_MAX, 1000);
    int fd = open_shaken(&place);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zmtp_write_frame(&out, ZMTP_COMMAND, (struct bytes){"\4PING\0\1", 7}), ERR_OK);
    assert_int_equal(zmtp_write_frame(&out, 0, (struct bytes){"end", 3}), ERR_OK);
    say(fd, out.data, out.len);
    take_text(&place, &message, "end");
    buf_fini(&out);
    close(fd);
    close_place(&place);
}

/* ---- libzmq's heartbeats ---- */

static void libzmq_s_heartbeats_keep_a_connection_alive(void **state)
{
    (void)state;
    enum { INTERVAL_MS = 50, TIMEOUT_MS = 400, TIMEOUTS = 4 };
    struct place place;
    struct router_message first, last;
    int interval = INTERVAL_MS, timeout = TIMEOUT_MS, none = 0;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(dealer, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(dealer, ZMQ_HEARTBEAT_IVL, &interval, sizeof interval);
    zmq_setsockopt(dealer, ZMQ_HEARTBEAT_TIMEOUT, &timeout, sizeof timeout);
    assert_int_equal(zmq_connect(dealer, place.address), 0);
    zmq_send(dealer, "first", 5, 0);
    take_text(&place, &first, "first");
    int64_t until = clock_monotonic_ms() + (int64_t)TIMEOUTS * TIMEOUT_MS;
    int pings = 0;
    while (!is_due(until)) {
        struct pollfd news = {.fd = router_fd(place.router), .events = POLLIN};
        pings += poll(&news, 1, TIMEOUT_MS);
        work(&place);
    }
    assert_true(pings >= TIMEOUTS);
    zmq_send(dealer, "last", 4, 0);
    take_text(&place, &last, "last");
    assert_memory_equal(first.peer, last.peer, ROUTER_PEER_LEN); /* still the same connection */
    zmq_close(dealer);
    close_place(&place);
}

/* ---- descriptors and deadlines ---- */

static void peers_beyond_the_most_are_closed_at_once(void **state)
{
    (void)state;
    struct place place = {.port = free_port()};
    struct router_message message;
    const struct router_settings settings = {
        .name = "test", .address = place.address, .peers_max = 2, .limits = {.body_max = BODY_MAX, .out_max = OUT_MAX}};
    snprintf(place.address, sizeof place.address, "tcp://127.0.0.1:%d", place.port);
    assert_int_equal(router_open(&place.router, &settings, &why), ERR_OK);
    int first = open_shaken(&place), second = open_shaken(&place), third = open_bare(&place);
    hear_end(&place, third);
    expect_served(&place, first);
    expect_served(&place, second);
    SAY(second, "\0\1i");
    take_text(&place, &message, "i");
    close(second);
    wait_until_gone(&place, &message);
    int next = open_shaken(&place); /* into the place that became free */
    expect_served(&place, next);
    close(first);
    close(third);
    close(next);
    close_place(&place);
}

static void without_descriptors_new_peers_wait_and_old_ones_go_on(void **state)
{
    (void)state;
    struct place place;
    struct rlimit before, none;
    struct router_message message;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    int old = open_shaken(&place), fresh = make_bare(&place);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (int fd = 0; fd < STANDARD; fd++) /* whatever else libzmq closes meanwhile, these are taken */
        assert_true(fcntl(fd, F_GETFD) >= 0);
    none = (struct rlimit){.rlim_cur = STANDARD, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    connect_bare(&place, fresh);
    say_greeting(fresh);
    SAY(fresh, READY "\0\3new");
    wait_on(&place, -1, 0, clock_monotonic_ms() + PATIENCE_MS);
    work(&place);
    struct pollfd news = {.fd = router_fd(place.router), .events = POLLIN};
    assert_int_equal(poll(&news, 1, 0), 0); /* it does not spin */
    expect_served(&place, old);
    int64_t now = clock_monotonic_ms();
    router_tick(place.router, now);
    work(&place);
    assert_int_equal(poll(&news, 1, 0), 0); /* there are none yet */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    router_tick(place.router, now + 1000);
    take_text(&place, &message, "new");
    expect_served(&place, old);
    close(old);
    close(fresh);
    close_place(&place);
}

static void an_endless_handshake_is_ended(void **state)
{
    (void)state;
    struct place place;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    int silent = open_bare(&place), halfway = open_bare(&place), good = open_shaken(&place);
    char greeting[ZMTP_GREETING] = GREETING;
    say_greeting(halfway);
    say(silent, greeting, 20);
    hear(&place, halfway, (char[OUR_SAY]){0}, OUR_SAY);
    int64_t now = clock_monotonic_ms();
    router_tick(place.router, now + 20000);
    char left[ZMTP_GREETING];
    hear(&place, silent, left, sizeof left);
    struct pollfd news[] = {{.fd = silent, .events = POLLIN}, {.fd = halfway, .events = POLLIN}};
    assert_int_equal(poll(news, 2, 0), 0);
    router_tick(place.router, now + 40000);
    hear_end(&place, silent);
    hear_end(&place, halfway);
    expect_served(&place, good);
    close(silent);
    close(halfway);
    close(good);
    close_place(&place);
}

/* ---- closing ---- */

struct reader {
    int fd;
    size_t got;
};

static void *read_all(void *arg)
{
    struct reader *self = arg;
    static char bytes[65536];
    struct pollfd news = {.fd = self->fd, .events = POLLIN};
    ssize_t got = 0;
    do {
        if (poll(&news, 1, PATIENCE_MS) <= 0)
            return NULL;
        got = recv(self->fd, bytes, sizeof bytes, 0);
        self->got += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EAGAIN));
    return NULL;
}

static void what_waits_is_sent_before_the_router_closes(void **state)
{
    (void)state;
    for (int ipc = 0; ipc < 2; ipc++) {
        struct place place;
        struct router_message message;
        pthread_t thread;
        open_place(&place, ipc, BODY_MAX, OUT_MAX);
        struct reader reader = {.fd = open_deaf(&place), .got = 0};
        SAY(reader.fd, "\0\1i");
        take_text(&place, &message, "i");
        const struct bytes body = {large, LARGEST};
        for (int i = 0; i < 3; i++)
            assert_int_equal(router_send(place.router, message.peer, ROUTER_PEER_LEN, body), ERR_OK);
        assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
        router_close(&place.router, PATIENCE_MS);
        pthread_join(thread, NULL);
        assert_int_equal(reader.got, 3 * (LARGEST + ZMTP_HEAD_MAX));
        close(reader.fd);
    }
}

static void a_peer_that_hangs_keeps_no_other_from_its_answer_at_the_end(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    pthread_t thread;
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int hung = open_deaf(&place);
    SAY(hung, "\0\1h");
    take_text(&place, &message, "h");
    const struct bytes body = {large, LARGEST};
    assert_int_equal(router_send(place.router, message.peer, ROUTER_PEER_LEN, body), ERR_OK);
    struct reader reader = {.fd = open_deaf(&place), .got = 0};
    SAY(reader.fd, "\0\1r");
    take_text(&place, &message, "r");
    assert_int_equal(router_send(place.router, message.peer, ROUTER_PEER_LEN, body), ERR_OK);
    assert_int_equal(pthread_create(&thread, NULL, read_all, &reader), 0);
    router_close(&place.router, 1000);
    pthread_join(thread, NULL);
    assert_int_equal(reader.got, LARGEST + ZMTP_HEAD_MAX);
    close(reader.fd);
    close(hung);
}

static void a_peer_that_does_not_read_cannot_hold_the_router_open(void **state)
{
    (void)state;
    struct place place;
    struct router_message message;
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int fd = open_deaf(&place);
    SAY(fd, "\0\1i");
    take_text(&place, &message, "i");
    assert_int_equal(router_send(place.router, message.peer, ROUTER_PEER_LEN, (struct bytes){large, LARGEST}), ERR_OK);
    int64_t begun = clock_monotonic_ms();
    router_close(&place.router, 100);
    assert_in_range(clock_monotonic_ms() - begun, 99, PATIENCE_MS / 2);
    close(fd);
}

static void a_router_that_was_never_opened_is_closed(void **state)
{
    (void)state;
    struct router *none = NULL;
    router_close(&none, 0);
    assert_null(none);
}

/* ---- addresses ---- */

static void the_file_of_an_ipc_address_goes_with_the_router(void **state)
{
    (void)state;
    struct place place;
    struct stat found;
    open_place(&place, true, BODY_MAX, OUT_MAX);
    const char *path = place.address + strlen("ipc://");
    assert_int_equal(stat(path, &found), 0);
    assert_true(S_ISSOCK(found.st_mode));
    close_place(&place);
    assert_int_equal(stat(path, &found), -1);
    assert_int_equal(errno, ENOENT);
}

static void a_socket_file_of_a_dead_process_is_replaced(void **state)
{
    (void)state;
    struct place place;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof to.sun_path, "%s/socket", folder);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (struct sockaddr *)&to, sizeof to), 0);
    close(dead);
    open_place(&place, true, BODY_MAX, OUT_MAX);
    int fd = open_shaken(&place);
    expect_served(&place, fd);
    close(fd);
    close_place(&place);
}

static void an_address_in_use_is_named_so(void **state)
{
    (void)state;
    struct place first, second;
    open_place(&first, false, BODY_MAX, OUT_MAX);
    second = first;
    assert_int_equal(try_open(&second, BODY_MAX, OUT_MAX), ERR_EXISTS);
    assert_string_equal(why.text, "Address already in use");
    assert_null(second.router);
    int fd = open_shaken(&first); /* whom it does not hurt */
    expect_served(&first, fd);
    close(fd);
    close_place(&first);
}

static void a_port_is_free_again_at_once(void **state)
{
    (void)state;
    struct place place;
    open_place(&place, false, BODY_MAX, OUT_MAX);
    for (int i = 0; i < 5; i++) {
        int fd = open_shaken(&place);
        expect_served(&place, fd);
        close_place(&place);
        close(fd);
        if (try_open(&place, BODY_MAX, OUT_MAX) != ERR_OK)
            fail_msg("%s", why.text);
    }
    close_place(&place);
}

static bool has_ipv6(void)
{
    const struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&to, sizeof to) == 0;
    if (fd >= 0)
        close(fd);
    return has;
}

static void expect_reached(const char *listen, const char *connect)
{
    struct place place = {.port = free_port()};
    struct router_message message;
    char from[64];
    print_message("%s\n", listen);
    snprintf(place.address, sizeof place.address, "tcp://%s:%d", listen, place.port);
    snprintf(from, sizeof from, "tcp://%s:%d", connect, place.port);
    if (try_open(&place, BODY_MAX, OUT_MAX) != ERR_OK)
        fail_msg("%s", why.text);
    void *dealer = open_peer_at(ZMQ_DEALER, from);
    zmq_send(dealer, "here", 4, 0);
    take_text(&place, &message, "here");
    answer(&place, &message, "there");
    expect_answer(&place, dealer, "there", 5);
    zmq_close(dealer);
    close_place(&place);
}

static void every_form_of_an_address_is_listened_at(void **state)
{
    (void)state;
    expect_reached("127.0.0.1", "127.0.0.1");
    expect_reached("localhost", "localhost");
    expect_reached("localhost", "127.0.0.1");
    expect_reached("lo", "127.0.0.1");
    expect_reached("*", "127.0.0.1");
    expect_reached("0.0.0.0", "127.0.0.1");
    if (has_ipv6()) {
        expect_reached("[::1]", "[::1]");
        expect_reached("[::]", "127.0.0.1");
    }
}

static void expect_no_address(const char *address, enum err err)
{
    struct place place = {.router = NULL};
    snprintf(place.address, sizeof place.address, "%s", address);
    print_message("%s\n", address);
    assert_int_equal(try_open(&place, BODY_MAX, OUT_MAX), err);
    assert_null(place.router);
    assert_true(strlen(why.text) > 0);
    print_message("  %s\n", why.text);
}

static void an_address_that_cannot_be_is_named_so(void **state)
{
    (void)state;
    expect_no_address("tcp://no-such-host.invalid:5560", ERR_NOT_FOUND);
    expect_no_address("tcp://[::1:5560", ERR_NOT_FOUND);
    expect_no_address("tcp://192.0.2.1:5560", ERR_IO); /* nobody's here */
    assert_string_equal(why.text, "Cannot assign requested address");
    expect_no_address("tcp://127.0.0.1", ERR_INVALID);
    expect_no_address("ipc:///no/such/folder/socket", ERR_NOT_FOUND);
    char address[256] = "ipc:///";
    memset(address + 7, 'x', 200);
    expect_no_address(address, ERR_TOO_LARGE);
}

static void a_port_is_a_number_of_16_bits(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "lo", "*", "localhost"};
    static const char *const ports[] = {"", "0", "65536", "99999", "1234567", "*", "http", "-1", "+80", " 80", "80x"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        for (size_t k = 0; k < sizeof ports / sizeof *ports; k++) {
            char address[64];
            snprintf(address, sizeof address, "tcp://%s:%s", hosts[i], ports[k]);
            expect_no_address(address, ERR_INVALID);
        }
}

/* ---- */

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < LARGEST; i++)
        large[i] = (char)(i * 31 + i / 256);
    context = zmq_ctx_new();
    return context && mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    zmq_ctx_term(context);
    return rmdir(folder); /* nothing was left in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_any_number_of_frames_come),
        cmocka_unit_test(a_requester_s_message_has_its_empty_frame),
        cmocka_unit_test(another_router_may_connect),
        cmocka_unit_test(messages_of_any_size_go_both_ways),
        cmocka_unit_test(two_of_the_largest_frames_make_a_message),
        cmocka_unit_test(more_of_the_largest_frames_are_only_too_many),
        cmocka_unit_test(bytes_may_come_one_at_a_time),
        cmocka_unit_test(many_messages_of_one_write_come_in_order),
        cmocka_unit_test(peers_are_told_apart),
        cmocka_unit_test(a_flood_does_not_keep_a_quiet_peer_waiting),
        cmocka_unit_test(a_flood_does_not_keep_a_new_peer_out),
        cmocka_unit_test(all_of_many_peers_are_heard),
        cmocka_unit_test(what_a_peer_does_not_read_is_bounded_and_kept_in_order),
        cmocka_unit_test(nobody_gets_the_id_of_a_peer_that_is_gone),
        cmocka_unit_test(an_id_that_never_was_is_nobody_s),
        cmocka_unit_test(what_a_peer_sent_before_it_went_is_taken),
        cmocka_unit_test(frames_without_end_do_not_hold_the_caller),
        cmocka_unit_test(a_peer_that_went_while_much_waited_for_it_is_forgotten),
        cmocka_unit_test(a_peer_that_breaks_the_rules_is_disconnected_alone),
        cmocka_unit_test(nothing_but_a_ready_follows_the_greeting),
        cmocka_unit_test(a_frame_of_exactly_the_limit_is_taken),
        cmocka_unit_test(a_ping_between_messages_is_answered),
        cmocka_unit_test(pings_of_a_peer_that_does_not_read_are_bounded),
        cmocka_unit_test(libzmq_s_heartbeats_keep_a_connection_alive),
        cmocka_unit_test(peers_beyond_the_most_are_closed_at_once),
        cmocka_unit_test(without_descriptors_new_peers_wait_and_old_ones_go_on),
        cmocka_unit_test(an_endless_handshake_is_ended),
        cmocka_unit_test(what_waits_is_sent_before_the_router_closes),
        cmocka_unit_test(a_peer_that_hangs_keeps_no_other_from_its_answer_at_the_end),
        cmocka_unit_test(a_peer_that_does_not_read_cannot_hold_the_router_open),
        cmocka_unit_test(a_router_that_was_never_opened_is_closed),
        cmocka_unit_test(the_file_of_an_ipc_address_goes_with_the_router),
        cmocka_unit_test(a_socket_file_of_a_dead_process_is_replaced),
        cmocka_unit_test(an_address_in_use_is_named_so),
        cmocka_unit_test(a_port_is_free_again_at_once),
        cmocka_unit_test(every_form_of_an_address_is_listened_at),
        cmocka_unit_test(an_address_that_cannot_be_is_named_so),
        cmocka_unit_test(a_port_is_a_number_of_16_bits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
