/* beanstalkd (its protocol.txt) and Redis Streams (RESP2) for bench_queue: line protocols over one blocking TCP socket.
 */
#include "bench_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct line_server {
    struct bench_server base;
    int fd;
    char name[32]; /* consumer */
    char id[64];   /* of the job just taken */
    char in[65536];
    size_t start, end;
};

static struct bench_server *dial(const struct bench_kind *kind, const char *port, int process)
{
    struct line_server *self = calloc(1, sizeof *self);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    if (!self)
        bench_die("memory");
    self->base.kind = kind;
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(self->fd, (struct sockaddr *)&to, sizeof to) != 0)
        bench_die(kind->name);
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    snprintf(self->name, sizeof self->name, "c%d", process);
    return &self->base;
}

static struct line_server *line_of(struct bench_server *base)
{
    return (struct line_server *)base;
}

static void hang_up(struct bench_server *base)
{
    close(line_of(base)->fd);
    free(base);
}

static void say(struct line_server *self, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t put = send(self->fd, bytes, len, MSG_NOSIGNAL);
        if (put <= 0)
            bench_die("send");
        bytes += put;
        len -= (size_t)put;
    }
}

static void more(struct line_server *self)
{
    if (self->start > 0) {
        memmove(self->in, self->in + self->start, self->end - self->start);
        self->end -= self->start;
        self->start = 0;
    }
    ssize_t got = recv(self->fd, self->in + self->end, sizeof self->in - self->end, 0);
    if (got <= 0)
        bench_die("receive");
    self->end += (size_t)got;
}

/* The next line without CR LF, NUL-terminated; valid until the next call. */
static char *hear(struct line_server *self)
{
    for (;;) {
        char *at = self->in + self->start, *end = memmem(at, self->end - self->start, "\r\n", 2);
        if (end) {
            *end = '\0';
            self->start = (size_t)(end + 2 - self->in);
            return at;
        }
        more(self);
    }
}

static char *hear_bytes(struct line_server *self, size_t len)
{
    while (self->end - self->start < len + 2)
        more(self);
    char *at = self->in + self->start;
    self->start += len + 2;
    at[len] = '\0';
    return at;
}

static int64_t sent_of(const char *job)
{
    const char *at = strstr(job, "\"sent_us\":");
    return at ? strtoll(at + 10, NULL, 10) : 0;
}

/* ---- beanstalkd ---- */

static struct bench_server *bean_open(const char *ports, enum bench_role role, int process)
{
    (void)role;
    return dial(&bench_beanstalkd, ports, process);
}

static void bean_put(struct bench_server *base, int64_t sent_us)
{
    char body[512], message[640];
    int len = snprintf(body, sizeof body, BENCH_JOB, (long long)sent_us);
    int all = snprintf(message, sizeof message, "put 100 0 60 %d\r\n%s\r\n", len, body);
    say(line_of(base), message, (size_t)all);
    if (strncmp(hear(line_of(base)), "INSERTED", 8) != 0)
        bench_die("beanstalkd put");
}

static int64_t bean_take(struct bench_server *base)
{
    struct line_server *self = line_of(base);
    unsigned long id, len;
    say(self, "reserve\r\n", 9);
    if (sscanf(hear(self), "RESERVED %lu %lu", &id, &len) != 2)
        bench_die("beanstalkd reserve");
    snprintf(self->id, sizeof self->id, "%lu", id);
    return sent_of(hear_bytes(self, len));
}

static void bean_finish(struct bench_server *base)
{
    char message[96];
    int len = snprintf(message, sizeof message, "delete %s\r\n", line_of(base)->id);
    say(line_of(base), message, (size_t)len);
    if (strcmp(hear(line_of(base)), "DELETED") != 0)
        bench_die("beanstalkd delete");
}

static void bean_publish(struct bench_server *base, long count)
{
    (void)base;
    (void)count;
    bench_die("beanstalkd has no streams");
}

const struct bench_kind bench_beanstalkd = {"beanstalkd", bean_open,    bean_put, bean_take,
                                            bean_finish,  bean_publish, hang_up};

/* ---- Redis Streams ---- */

static struct bench_server *redis_open(const char *ports, enum bench_role role, int process)
{
    static const char make[] = "XGROUP CREATE jobs g 0 MKSTREAM\r\n";
    struct bench_server *base = dial(&bench_redis, ports, process);
    (void)role;
    say(line_of(base), make, sizeof make - 1);
    hear(line_of(base)); /* +OK, or -BUSYGROUP from the second process on */
    return base;
}

static void redis_add(struct line_server *self, const char *stream, const char *body, int len)
{
    char message[800];
    int all = snprintf(message, sizeof message, "*5\r\n$4\r\nXADD\r\n$%zu\r\n%s\r\n$1\r\n*\r\n$1\r\nb\r\n$%d\r\n%s\r\n",
                       strlen(stream), stream, len, body);
    say(self, message, (size_t)all);
}

/* A bulk string's text. */
static char *redis_bulk(struct line_server *self)
{
    char *line = hear(self);
    if (line[0] != '$')
        bench_die("redis answer");
    return hear_bytes(self, strtoul(line + 1, NULL, 10));
}

static void redis_put(struct bench_server *base, int64_t sent_us)
{
    char body[512];
    int len = snprintf(body, sizeof body, BENCH_JOB, (long long)sent_us);
    redis_add(line_of(base), "jobs", body, len);
    redis_bulk(line_of(base));
}

static void expect(struct line_server *self, const char *line)
{
    if (strcmp(hear(self), line) != 0)
        bench_die("redis answer shape");
}

static int64_t redis_take(struct bench_server *base)
{
    struct line_server *self = line_of(base);
    char message[160];
    int len =
        snprintf(message, sizeof message, "XREADGROUP GROUP g %s COUNT 1 BLOCK 60000 STREAMS jobs >\r\n", self->name);
    say(self, message, (size_t)len);
    expect(self, "*1");
    expect(self, "*2");
    redis_bulk(self);
    expect(self, "*1");
    expect(self, "*2");
    snprintf(self->id, sizeof self->id, "%s", redis_bulk(self));
    expect(self, "*2");
    redis_bulk(self);
    return sent_of(redis_bulk(self));
}

static void redis_finish(struct bench_server *base)
{
    char message[256];
    struct line_server *self = line_of(base);
    int len = snprintf(message, sizeof message, "XACK jobs g %s\r\nXDEL jobs %s\r\n", self->id, self->id);
    say(self, message, (size_t)len);
    expect(self, ":1");
    expect(self, ":1");
}

static void redis_publish(struct bench_server *base, long count)
{
    struct line_server *self = line_of(base);
    for (long sent = 0, heard = 0; heard < count;) {
        char body[256];
        if (sent < count && sent - heard < BENCH_IN_FLIGHT) {
            int len = snprintf(body, sizeof body, BENCH_EVENT, sent++);
            redis_add(self, "events", body, len);
        } else {
            redis_bulk(self);
            heard++;
        }
    }
}

const struct bench_kind bench_redis = {"redis",      redis_open,    redis_put, redis_take,
                                       redis_finish, redis_publish, hang_up};
