/* lease_keeper - the worker's half of the lease protocol (wire/work_frame.h): which tokens it holds, which events it
 * must say again, when a token is lost.
 *
 * Pure: no sockets, no clock, no threads; times are the caller's monotonic milliseconds. The loop hands in every frame
 * that comes (keeper_take) and sends every frame that is due (keeper_next); a frame that could not be sent needs no
 * care, because all that matters is said again until it is answered. A simulator links this very file.
 *
 * Greeting: HELLO with the held tokens until WELCOME. A WELCOME nobody asked for (the broker was restarted, or has
 * forgotten this worker) means: greet again. Until then events wait, so that they arrive in order behind the HELLO. A
 * lease is held from JOB until its last event is acknowledged, it is revoked, or more than KEEPER_LEASE_BYTES_MAX wait
 * unacknowledged: then it is given up, and its job goes on elsewhere from the last step the broker knows. The silence
 * of a broker ends nothing: workers go on through its outage. */
#ifndef LEASE_KEEPER_H
#define LEASE_KEEPER_H

#include "wire/work_frame.h"

#define KEEPER_LEASE_BYTES_MAX (4u << 20) /* unacknowledged events of one lease */
#define KEEPER_EVENT_OVERHEAD  64         /* counted for each event besides its bytes */

struct keeper;

/* worker: its id. The broker's beat time is used once WELCOME has said it; beat_ms until then. */
enum err keeper_new(struct keeper **out, const char *worker, uint32_t slots, uint32_t beat_ms) MUST_CHECK;
void keeper_destroy(struct keeper **self_p);

enum keeper_news {
    KEEPER_NOTHING, /* the keeper has dealt with it */
    KEEPER_READY,   /* greeted: the broker knows this worker */
    KEEPER_JOB,     /* frame->token is now held; start the job of frame->body */
    KEEPER_LOST,    /* frame->token is revoked: stop its job, report nothing */
    KEEPER_ODD,     /* a frame that makes no sense here: count it, go on */
};

/* A frame from the broker. */
enum keeper_news keeper_take(struct keeper *self, const struct work_frame *frame, int64_t now_ms);

/* The next frame that is due; false when there is none for now. out's texts are borrowed until the next call. */
bool keeper_next(struct keeper *self, int64_t now_ms, struct work_frame *out);
/* Milliseconds until something may be due, at most a beat. */
int keeper_wait_ms(const struct keeper *self, int64_t now_ms);

/* A fresh connection: greet at once. */
void keeper_connected(struct keeper *self, int64_t now_ms);

/* Something happened in a job. Texts are JSON objects and are copied. PROGRESS replaces the one before it that is not
 * sent yet, and is dropped when anything durable comes after it. ERR_NOT_FOUND: the token is not held. ERR_FULL or
 * ERR_MEMORY: the lease was given up just now; stop the job. */
enum err keeper_record(struct keeper *self, struct token token, enum work_what what, struct bytes event,
                       struct bytes detail) MUST_CHECK;
/* The job is over: the token is let go as soon as everything recorded is acknowledged. */
void keeper_finish(struct keeper *self, struct token token);

/* No more jobs from now on: BYE, and no free slots. */
void keeper_drain(struct keeper *self);
/* While draining: the job will not be finished here. A BEAT without its token hands it back, which costs it no attempt.
 */
void keeper_give_back(struct keeper *self, struct token token);
/* The last frame of a worker that has drained: BYE again. What it still holds goes on elsewhere at once. */
void keeper_leave(struct keeper *self);

size_t keeper_held(const struct keeper *self); /* leases, finished ones with unacknowledged events included */
bool keeper_holds(const struct keeper *self, struct token token);
uint64_t keeper_term(const struct keeper *self); /* 0 = not greeted yet */

#endif
