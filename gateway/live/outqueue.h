/* outqueue - what waits for one socket: frames by reference, in order, bounded in bytes. Pure; the loop's thread only.
 *
 * Progress is conflated: while the socket is *blocked* (an earlier write has not drained) newer progress of a key
 * removes the older one that waits and takes its own place at the end. So it never moves ahead of, or back behind, a
 * durable frame of its run. The closing progress of a step is never removed; durable frames never are. Beyond the bound
 * the queue takes nothing more: the socket is to be closed with "resume me". */
#ifndef OUTQUEUE_H
#define OUTQUEUE_H

#include "live/frames.h"

enum out_kind { OUT_DURABLE, OUT_PROGRESS, OUT_CLOSING };

struct outqueue_item;

struct outqueue {
    struct outqueue_item *first, *last;
    struct outqueue_item *progress; /* the waiting OUT_PROGRESS items, newest first */
    size_t bytes, bytes_max;        /* waiting: frames and their items; bytes never exceeds bytes_max */
    bool blocked;
    uint64_t conflated; /* counter; its reader may set it back */
};

void outqueue_init(struct outqueue *self, size_t bytes_max);
void outqueue_fini(struct outqueue *self);
void outqueue_drop(struct outqueue *self); /* everything that waits */
bool outqueue_empty(const struct outqueue *self);
/* Takes a reference of its own. key: of progress (chat, job and step), copied. ERR_FULL: beyond the bound. */
enum err outqueue_put(struct outqueue *self, struct frame *frame, enum out_kind kind, struct bytes key) MUST_CHECK;
/* The last frame of a socket, for which there is always room. */
enum err outqueue_put_last(struct outqueue *self, struct frame *frame) MUST_CHECK;
/* Joins as many whole frames as fit into `room` bytes; 0 when the first one does not fit (or nothing waits). Frames are
 * never cut: between two writes libwebsockets may send a ping or pong of its own. */
size_t outqueue_take(struct outqueue *self, void *out, size_t room, size_t *frames);
/* The first frame alone, the reference becomes the caller's; NULL when nothing waits. */
struct frame *outqueue_pop(struct outqueue *self);
/* Told after every write: is part of it still waiting for the socket? */
void outqueue_set_blocked(struct outqueue *self, bool blocked);

#endif
