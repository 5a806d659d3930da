#include "bench_zmtp.h"

#include "bench_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GREETING_LEN 64
#define OUT_MAX      (1u << 20)

enum flag { MORE = 1, LONG = 2, COMMAND = 4 };

static void say(struct bench_zmtp *self, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t put = send(self->fd, at, len, MSG_NOSIGNAL);
        if (put <= 0)
            bench_die("send");
        at += put;
        len -= (size_t)put;
    }
}

/* false: nothing is here, and nobody wants to wait. */
static bool hear(struct bench_zmtp *self, bool wait)
{
    if (self->start > 0) {
        memmove(self->in, self->in + self->start, self->end - self->start);
        self->end -= self->start;
        self->start = 0;
    }
    ssize_t got = recv(self->fd, self->in + self->end, sizeof self->in - self->end, wait ? 0 : MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !wait)
        return false;
    if (got <= 0)
        bench_die("receive");
    self->end += (size_t)got;
    return true;
}

/* `ahead` bytes from `start` on, without taking them. */
static bool have(struct bench_zmtp *self, size_t ahead, bool wait)
{
    while (self->end - self->start < ahead)
        if (!hear(self, wait))
            return false;
    return true;
}

/* ---- frames ---- */

static void add_frame(struct bench_zmtp *self, unsigned flags, const void *bytes, size_t len)
{
    unsigned char head[9] = {(unsigned char)flags, (unsigned char)len};
    size_t head_len = 2;
    if (len > 255) {
        head[0] |= LONG;
        head_len = sizeof head;
        for (int i = 0; i < 8; i++)
            head[1 + i] = (unsigned char)((uint64_t)len >> (56 - 8 * i));
    }
    if (buf_add(&self->out, head, head_len) != ERR_OK || buf_add(&self->out, bytes, len) != ERR_OK)
        bench_die("message too large");
}

struct frame {
    unsigned flags;
    struct bytes body;
    size_t head_len;
};

/* The frame that begins `at` bytes behind start. */
static bool peek(struct bench_zmtp *self, size_t at, bool wait, struct frame *out)
{
    if (!have(self, at + 2, wait))
        return false;
    unsigned flags = (unsigned char)self->in[self->start + at];
    size_t head_len = flags & LONG ? 9 : 2, len = 0;
    if (!have(self, at + head_len, wait))
        return false;
    for (size_t i = 1; i < head_len; i++)
        len = len << 8 | (unsigned char)self->in[self->start + at + i];
    if (len > sizeof self->in - at - head_len)
        bench_die("message too large");
    if (!have(self, at + head_len + len, wait))
        return false;
    *out = (struct frame){flags, {self->in + self->start + at + head_len, len}, head_len};
    return true;
}

/* ---- life ---- */

static void greet(struct bench_zmtp *self, const char *type)
{
    unsigned char greeting[GREETING_LEN] = {[0] = 0xFF, [9] = 0x7F, [10] = 3, [12] = 'N', 'U', 'L', 'L'};
    static const char name[] = "\5READY\13Socket-Type";
    unsigned char length[4] = {0, 0, 0, (unsigned char)strlen(type)};
    struct buf ready = BUF_INIT(256);
    struct frame answer;
    say(self, greeting, sizeof greeting);
    if (!have(self, GREETING_LEN, true) || (unsigned char)self->in[0] != 0xFF || self->in[10] < 3)
        bench_die("not a ZMTP 3 peer");
    self->start += GREETING_LEN;
    if (buf_add(&ready, name, sizeof name - 1) != ERR_OK || buf_add(&ready, length, sizeof length) != ERR_OK ||
        buf_add_text(&ready, type) != ERR_OK)
        bench_die("memory");
    add_frame(self, COMMAND, ready.data, ready.len);
    bench_zmtp_flush(self);
    buf_fini(&ready);
    if (!peek(self, 0, true, &answer) || !(answer.flags & COMMAND) || answer.body.len < 6 ||
        memcmp(answer.body.at, "\5READY", 6) != 0)
        bench_die("handshake refused");
    self->start += answer.head_len + answer.body.len;
}

void bench_zmtp_open(struct bench_zmtp *self, const char *port, const char *type)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    self->out = BUF_INIT(OUT_MAX);
    self->start = self->end = 0;
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(self->fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die(port);
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    greet(self, type);
}

void bench_zmtp_close(struct bench_zmtp *self)
{
    close(self->fd);
    buf_fini(&self->out);
}

/* ZMTP 3.0: a subscription is a message of one frame that begins with a 1. */
void bench_zmtp_subscribe(struct bench_zmtp *self, const char *topic, size_t len)
{
    struct buf message = BUF_INIT(256);
    if (buf_add_byte(&message, 1) != ERR_OK || buf_add(&message, topic, len) != ERR_OK)
        bench_die("memory");
    bench_zmtp_add(self, (struct bytes){message.data, message.len}, false);
    bench_zmtp_flush(self);
    buf_fini(&message);
}

void bench_zmtp_add(struct bench_zmtp *self, struct bytes frame, bool more)
{
    add_frame(self, more ? MORE : 0, frame.at, frame.len);
}

void bench_zmtp_flush(struct bench_zmtp *self)
{
    say(self, self->out.data, self->out.len);
    buf_clear(&self->out);
}

bool bench_zmtp_receive(struct bench_zmtp *self, bool wait, struct bytes *last)
{
    struct frame frame;
    size_t at = 0;
    do {
        if (!peek(self, at, wait, &frame))
            return false;
        at += frame.head_len + frame.body.len;
    } while (frame.flags & (MORE | COMMAND));
    self->start += at;
    *last = frame.body;
    return true;
}
