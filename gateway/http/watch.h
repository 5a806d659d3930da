/* watch - open connections and what the library does not bound: how long a header may take to arrive, how slowly a body
 * may come, how many connections get an answer at all, and that an answer given before the body was read reaches the
 * client.
 *
 * The last needs lingering: a socket closed with unread bytes is reset by the kernel, and the reset can overtake the
 * answer. So after such an answer the descriptor is kept open for a while and what still comes is thrown away.
 * Any thread. */
#ifndef WATCH_H
#define WATCH_H

#include "err.h"

#include <pthread.h>
#include <stdint.h>

#define WATCH_BODY_RATE_MIN    1024 /* bytes a second, over a whole body, once it has taken longer than the head may */
#define WATCH_LINGER_MAX       256  /* connections that linger at a time; beyond: closed at once */
#define WATCH_LINGER_MS        5000
#define WATCH_LINGER_BYTES_MAX (256u << 20)

enum watch_phase {
    WATCH_HEAD, /* connected, or between two requests: the next header must be complete in time */
    WATCH_BODY, /* a body is coming: its rate is watched */
    WATCH_BUSY, /* ours to work: nothing is expected of the client */
};

struct watched {
    int fd;
    enum watch_phase phase;
    int64_t since_ms;
    uint64_t bytes; /* of the body, since since_ms */
    bool excess;    /* came when all places were taken: gets a 503 */
    bool linger;
    struct watched *next;
    struct watched *prev;
};

struct lingering {
    int fd;
    int64_t until_ms;
    uint64_t bytes;
};

struct watch {
    pthread_mutex_t lock;
    struct watched *first;
    size_t count;
    size_t count_max;
    int64_t head_ms; /* a header must be complete within this */
    size_t lingering_count;
    struct lingering lingering[WATCH_LINGER_MAX];
};

void watch_init(struct watch *self, size_t count_max, int64_t head_ms);
void watch_fini(struct watch *self);

/* NULL when there is no memory. */
struct watched *watch_open(struct watch *self, int fd, int64_t now_ms);
/* Before the descriptor is closed. Takes NULL. */
void watch_close(struct watch *self, struct watched *connection, int64_t now_ms);
void watch_enter(struct watch *self, struct watched *connection, enum watch_phase phase, int64_t now_ms);
void watch_bytes(struct watch *self, struct watched *connection, size_t bytes);
void watch_linger(struct watch *self, struct watched *connection);

/* Sweeper thread: shuts down late connections, then reads and drops what lingering ones send for at most wait_ms. */
void watch_sweep(struct watch *self, int64_t now_ms, int wait_ms);
/* Shuts connections down that are between two requests: nobody waits there. */
void watch_shut_idle(struct watch *self);
/* Shuts every connection down. */
void watch_shut_all(struct watch *self);

#endif
