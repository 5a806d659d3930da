/* bench_queue: what a durable queue does for its producers and consumers, the same way for every server.
 *
 *   bench_queue put     SERVER PRODUCERS COUNT   COUNT puts over all producers (processes), one outstanding each
 *   bench_queue take    SERVER WORKERS COUNT     COUNT take + finish over all workers (processes); the queue is filled
 *                                                before
 *   bench_queue idle    SERVER COUNT             time from a put into an empty queue until a waiting worker has it
 *   bench_queue publish SERVER COUNT             acknowledged events, 64 in flight, one producer
 *
 * SERVER: sheetwire:REQUESTS:FEED:WORK:PUBLISH_ACK (TCP ports of 127.0.0.1) | redis:PORT |
 *         beanstalkd:PORT (no publish) | zeromq:PORT (bench_queue_floor; put and publish)
 * Prints `SECONDS COUNT P50_US P99_US`. A put to Sheetwire is an execute request (job, step, conversation and answer in
 * one transaction on disk); to the others it is the same JSON bytes. */
#include "bench_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define SAMPLES_MAX   200000 /* latencies kept per process */

struct shared {
    _Atomic int ready; /* processes that are connected */
    _Atomic int go;
    uint32_t counts[PROCESSES_MAX];
    uint32_t samples[PROCESSES_MAX][SAMPLES_MAX];
};

static struct shared *shared;

int64_t bench_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench_queue: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void sample(int process, int64_t micros)
{
    if (shared->counts[process] < SAMPLES_MAX)
        shared->samples[process][shared->counts[process]++] = (uint32_t)micros;
}

static void wait_for_go(void)
{
    shared->ready++;
    while (!shared->go)
        usleep(100);
}

typedef void work(int process, const char *server, long count);

static void put_many(int process, const char *server, long count)
{
    struct bench_server *s = bench_server_open(server, BENCH_PRODUCER, process);
    wait_for_go();
    for (long i = 0; i < count; i++) {
        int64_t start = bench_now_us();
        s->kind->put(s, start);
        sample(process, bench_now_us() - start);
    }
    s->kind->close(s);
}

static void take_many(int process, const char *server, long count)
{
    struct bench_server *s = bench_server_open(server, BENCH_WORKER, process);
    wait_for_go();
    for (long i = 0; i < count; i++) {
        int64_t start = bench_now_us();
        s->kind->take(s);
        s->kind->finish(s);
        sample(process, bench_now_us() - start);
    }
    s->kind->close(s);
}

/* Process 0 takes; process 1 puts one, waits until it was taken, pauses, puts the next. */
static void idle_pair(int process, const char *server, long count)
{
    struct bench_server *s = bench_server_open(server, process == 0 ? BENCH_WORKER : BENCH_PRODUCER, process);
    wait_for_go();
    for (long i = 0; i < count; i++) {
        if (process == 0) {
            int64_t sent = s->kind->take(s);
            sample(0, bench_now_us() - sent);
            s->kind->finish(s);
            continue;
        }
        s->kind->put(s, bench_now_us());
        while (*(volatile uint32_t *)&shared->counts[0] <= (uint32_t)i)
            usleep(50);
        usleep(1000); /* idle again */
    }
    s->kind->close(s);
}

static void publish_many(int process, const char *server, long count)
{
    struct bench_server *s = bench_server_open(server, BENCH_PUBLISHER, process);
    wait_for_go();
    s->kind->publish(s, count);
    s->kind->close(s);
}

static int by_value(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void report(double seconds, long count)
{
    size_t total = 0;
    static uint32_t all[(size_t)PROCESSES_MAX * SAMPLES_MAX];
    for (size_t i = 0; i < PROCESSES_MAX; i++) {
        memcpy(all + total, shared->samples[i], shared->counts[i] * sizeof *all);
        total += shared->counts[i];
    }
    qsort(all, total, sizeof *all, by_value);
    printf("%.4f %ld %u %u\n", seconds, count, total ? all[total / 2] : 0, total ? all[total * 99 / 100] : 0);
}

static void run(work *job, int processes, const char *server, long each)
{
    for (int i = 0; i < processes; i++) {
        pid_t child = fork();
        if (child < 0)
            bench_die("fork");
        if (child == 0) {
            job(i, server, each);
            _exit(0);
        }
    }
    while (shared->ready < processes) {
        usleep(1000);
        int status;
        if (waitpid(-1, &status, WNOHANG) > 0)
            bench_die("a process ended before the start");
    }
    int64_t start = bench_now_us();
    shared->go = 1;
    for (int i = 0; i < processes; i++) {
        int status = 0;
        wait(&status);
        if (status != 0)
            bench_die("a process failed");
    }
    report((double)(bench_now_us() - start) / 1e6, each * (job == idle_pair ? 1 : processes));
}

/* Fills the queue for `take` without counting it, with more than is taken: a server may hand a worker its next job
 * before the worker leaves, and the last ones must still find some. */
static void fill(const char *server, long count)
{
    struct bench_server *s = bench_server_open(server, BENCH_PRODUCER, 0);
    for (long i = 0; i < count; i++)
        s->kind->put(s, 0);
    s->kind->close(s);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        bench_die("mmap");
    int processes = argc > 4 ? atoi(argv[3]) : 1;
    long count = atol(argv[argc - 1]);
    if (processes < 1 || processes > PROCESSES_MAX)
        return 2;
    if (strcmp(argv[1], "put") == 0) {
        run(put_many, processes, argv[2], count / processes);
    } else if (strcmp(argv[1], "take") == 0) {
        fill(argv[2], count + 64L * processes);
        run(take_many, processes, argv[2], count / processes);
    } else if (strcmp(argv[1], "idle") == 0) {
        run(idle_pair, 2, argv[2], count);
    } else if (strcmp(argv[1], "publish") == 0) {
        run(publish_many, 1, argv[2], count);
    } else {
        return 2;
    }
    return 0;
}
