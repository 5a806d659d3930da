#include "bench_zmtp.h"

#include "bench_server.h"
#include "ports/zmtp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUT_MAX (1u << 20)

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

static void done(enum err err)
{
    if (err != ERR_OK)
        bench_die(err_name(err));
}

/* The frame that begins `at` bytes behind start. */
static bool peek(struct bench_zmtp *self, size_t at, bool wait, struct zmtp_frame *out)
{
    enum err err;
    while ((err = zmtp_read_frame(self->in + self->start + at, self->end - self->start - at, ZMTP_IN_MAX / 2, out)) ==
           ERR_END)
        if (!hear(self, wait))
            return false;
    done(err);
    return true;
}

/* ---- life ---- */

static void greet(struct bench_zmtp *self, const char *type)
{
    struct zmtp_frame answer;
    enum zmtp_command command;
    struct bytes rest;
    struct fault why;
    enum err err;
    say(self, zmtp_greeting, ZMTP_GREETING);
    while ((err = zmtp_check_greeting(self->in, self->end, &why)) == ERR_END)
        hear(self, true);
    done(err);
    self->start += ZMTP_GREETING;
    done(zmtp_write_ready(&self->out, type));
    bench_zmtp_flush(self);
    if (!peek(self, 0, true, &answer) || zmtp_read_command(answer.body, &command, &rest) != ERR_OK ||
        command != ZMTP_READY)
        bench_die("handshake refused");
    self->start += answer.size;
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
    done(zmtp_write_frame(&self->out, more ? ZMTP_MORE : 0, frame));
}

void bench_zmtp_flush(struct bench_zmtp *self)
{
    say(self, self->out.data, self->out.len);
    buf_clear(&self->out);
}

bool bench_zmtp_receive(struct bench_zmtp *self, bool wait, struct bytes *last)
{
    struct zmtp_frame frame;
    size_t at = 0;
    do {
        if (!peek(self, at, wait, &frame))
            return false;
        at += frame.size;
    } while (frame.flags & (ZMTP_MORE | ZMTP_COMMAND));
    self->start += at;
    *last = frame.body;
    return true;
}
