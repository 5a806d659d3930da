/* held - requests that wait for something outside the HTTP thread, and what wakes them: the thing itself, a deadline,
 * the server's drain, or the client hanging up, which the library cannot see while a connection is suspended.
 *
 * One lock orders "suspend" against "resume", so that a wake that comes first is never lost. Any thread unless noted.
 */
#ifndef HELD_H
#define HELD_H

#include "http/request.h"

#include <pthread.h>

struct held {
    pthread_mutex_t lock;
    struct request *first;
    bool draining;
    bool given_up; /* nothing may wait any longer that can be ended */
    /* Called under the lock. */
    void (*suspend)(struct request *request);
    void (*resume)(struct request *request);
};

void held_init(struct held *self, void (*suspend)(struct request *), void (*resume)(struct request *));
void held_fini(struct held *self); /* nothing may be held */

/* HTTP thread: suspends the request until it is woken; false when it was woken already and goes on at once. After
 * either, request->wake tells why, once it runs again. */
bool held_enter(struct held *self, struct request *request);
/* HTTP thread, after a resume: takes the reason over into request->wake. */
void held_leave(struct held *self, struct request *request);
void held_wake(struct held *self, struct request *request, enum wake why);

/* Sweeper thread: wakes what is over its deadline or whose client is gone. */
void held_sweep(struct held *self, int64_t now_ms);
/* Wakes every wait that ends with a drain, now and from now on. */
void held_drain(struct held *self);
/* The drain is over: wakes everything that can be given up, as if its deadline had passed. */
void held_give_up(struct held *self);
bool held_empty(struct held *self);

#endif
