/* net - connections as ZeroMQ and TCP give them: first in, first out; what was sent arrives later and in full, or a
 * prefix of it does and the connection is cut. A cut connection is made again by its client; each making has another
 * generation, which is also the name a ROUTER gives it. */
#ifndef NET_H
#define NET_H

#include "wire/pack.h"
#include "world.h"

enum conn_kind { CONN_REQUESTS, CONN_FEED, CONN_WORK, CONN_PUBLISH, CONN_PUBLISH_ACK, CONN_SOCKET };
enum conn_side { SIDE_CLIENT, SIDE_SERVER };

struct pipe {
    struct letter *first, *last;
    int64_t last_at_us;
    size_t count;
};

struct conn {
    enum conn_kind kind;
    bool wanted; /* its client wants it: made (again) as soon as both ends are up */
    bool up;
    bool asking;   /* a happening that makes it is due */
    uint8_t index; /* in world->conns */
    uint32_t generation;
    uint64_t topic; /* FEED: what the broker saw subscribed on it; 0 = nothing */
    int64_t stalled_until_us;
    struct pipe pipes[2]; /* by the side that sends */
    struct process *client, *server;
    void *owner;                                                 /* of the client's side */
    void (*made)(struct world *world, struct conn *self);        /* both ends may speak */
    void (*broken)(struct world *world, struct conn *self);      /* the client's end has noticed; NULL = nobody asks */
    void (*server_lost)(struct world *world, struct conn *self); /* the server's end has noticed; NULL likewise */
};

/* Letters arrive in the other end's inbox with kind = conn->kind. */
void conn_want(struct world *world, struct conn *self);   /* open it, and again after a cut */
void conn_unwant(struct world *world, struct conn *self); /* its client closes it */
void conn_cut(struct world *world, struct conn *self);
void conn_stall(struct world *world, struct conn *self, int64_t us);
/* false: not connected; the bytes are gone. */
bool conn_send(struct world *world, struct conn *self, enum conn_side from, const void *bytes, size_t len);
void conn_join(struct world *world, struct conn *self); /* before anything else; lives as long as the world */
void conn_fini(struct conn *self);
/* A happening: `who` is a letter whose connection is closed already, and which arrives all the same. */
happening_fn conn_arrive_late;
/* A process is gone: everything it had to do with breaks. */
void conn_cut_all(struct world *world, const struct process *end);

#endif
