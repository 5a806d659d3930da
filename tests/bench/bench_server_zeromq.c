/* bench_queue_floor for bench_queue: requests to a ZeroMQ socket that are only written down. */
#include "bench_server.h"
#include "bench_zmtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct zeromq_server {
    struct bench_server base;
    struct bench_zmtp socket;
};

static struct bench_zmtp *socket_of(struct bench_server *base)
{
    return &((struct zeromq_server *)base)->socket;
}

static struct bench_server *zeromq_open(const char *port, enum bench_role role, int process)
{
    struct zeromq_server *self = calloc(1, sizeof *self);
    (void)role;
    (void)process;
    if (!self)
        bench_die("memory");
    self->base.kind = &bench_zeromq;
    bench_zmtp_open(&self->socket, port, "DEALER");
    return &self->base;
}

static void zeromq_close(struct bench_server *base)
{
    bench_zmtp_close(socket_of(base));
    free(base);
}

static void send_text(struct bench_zmtp *socket, const char *text, int len)
{
    bench_zmtp_add(socket, (struct bytes){text, (size_t)len}, false);
    bench_zmtp_flush(socket);
}

static void hear_ok(struct bench_zmtp *socket)
{
    struct bytes answer;
    bench_zmtp_receive(socket, true, &answer);
    if (!memmem(answer.at, answer.len, "\"ok\"", 4))
        bench_die("zeromq answer");
}

static void zeromq_put(struct bench_server *base, int64_t sent_us)
{
    char body[512];
    int len = snprintf(body, sizeof body, BENCH_JOB, (long long)sent_us);
    send_text(socket_of(base), body, len);
    hear_ok(socket_of(base));
}

static void zeromq_publish(struct bench_server *base, long count)
{
    for (long sent = 0, heard = 0; heard < count;) {
        char body[256];
        if (sent < count && sent - heard < BENCH_IN_FLIGHT) {
            int len = snprintf(body, sizeof body, BENCH_EVENT, sent++);
            send_text(socket_of(base), body, len);
        } else {
            hear_ok(socket_of(base));
            heard++;
        }
    }
}

/* It hands nothing out. */
static int64_t zeromq_take(struct bench_server *base)
{
    (void)base;
    bench_die("zeromq has no jobs to take");
}

static void zeromq_finish(struct bench_server *base)
{
    zeromq_take(base);
}

const struct bench_kind bench_zeromq = {"zeromq",      zeromq_open,    zeromq_put,  zeromq_take,
                                        zeromq_finish, zeromq_publish, zeromq_close};
