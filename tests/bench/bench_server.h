/* bench_server - one connection of one benchmark process to one of the servers that are compared. Every call blocks
 * until the server has answered and ends the process when something is wrong: a benchmark that goes on after an error
 * measures nothing. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdint.h>

enum bench_role { BENCH_PRODUCER, BENCH_WORKER, BENCH_PUBLISHER };

struct bench_server;

struct bench_kind {
    const char *name;
    struct bench_server *(*open)(const char *ports, enum bench_role role, int process);
    void (*put)(struct bench_server *self, int64_t sent_us); /* one job, durable when it returns */
    int64_t (*take)(struct bench_server *self);              /* blocks for a job; its sent_us */
    void (*finish)(struct bench_server *self);               /* the job just taken, durable when it returns */
    void (*publish)(struct bench_server *self, long count);  /* acknowledged events, 64 in flight */
    void (*close)(struct bench_server *self);
};

struct bench_server {
    const struct bench_kind *kind;
};

struct bench_server *bench_server_open(const char *server, enum bench_role role, int process);

int64_t bench_now_us(void);
void bench_die(const char *what) __attribute__((noreturn));

/* The JSON bytes every server gets for a job. */
#define BENCH_JOB                                                                                                      \
    "{\"steps\":[{\"operation\":\"csv/search\",\"arguments\":{\"sent_us\":%lld,\"conditions\":[{\"column\":\"city\","  \
    "\"operator\":\"equals\",\"value\":\"Bergen\"}],\"logic\":\"AND\"}}],\"wait\":false}"
#define BENCH_EVENT                                                                                                    \
    "{\"type\":\"note\",\"i\":%ld,\"text\":\"an event of some hundred bytes, as a program would send it to a chat\"}"
#define BENCH_IN_FLIGHT 64

extern const struct bench_kind bench_sheetwire, bench_beanstalkd, bench_redis, bench_zeromq;

#endif
