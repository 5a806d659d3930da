/* applier - the thread that carries batches from the journal into SQLite, many in one transaction.
 *
 * A batch is on disk in the journal when it comes here, so a transaction is not synced, except the one before a segment
 * of the journal is used again. Batches wait a moment for others unless somebody wants to read them. What it cannot do
 * for want of disk or memory it tries again; meanwhile nothing new may be accepted (applier_ready). A batch that cannot
 * be applied for another reason is our bug: it is logged, the applier does nothing more and answers ERR_IO, so that the
 * broker ends; the journal still has the batch, and the next start names it. */
#ifndef APPLIER_H
#define APPLIER_H

#include "buf.h"
#include "store/reserve.h"
#include "store/sqlite_writer.h"

struct applier;

struct applier_batch {
    struct applier_batch *next;
    uint64_t number;
    struct buf record; /* of the journal, with its head */
    size_t payload;    /* bytes of it behind the head */
};

enum err applier_batch_new(struct applier_batch **out, size_t bytes_max) MUST_CHECK;
void applier_batch_destroy(struct applier_batch **self_p);

/* Borrows both until applier_stop(). Numbers begin behind 0. */
enum err applier_start(struct applier **out, struct writer *writer, struct reserve *reserve,
                       struct fault *why) MUST_CHECK;
/* Applies what is left and syncs it; an error says why not. */
enum err applier_stop(struct applier **self_p, struct fault *why) MUST_CHECK;

/* --- the writer's thread --- */

/* May something new be accepted? When not, after another attempt: ERR_NO_SPACE, ERR_UNAVAILABLE, ERR_MEMORY; ERR_IO:
 * never again. */
enum err applier_ready(struct applier *self, struct fault *why) MUST_CHECK;
/* Gives the batch away. It has the number behind the newest one. */
void applier_take(struct applier *self, struct applier_batch **batch);
uint64_t applier_applied(struct applier *self);
/* Up to which number everything is on disk in SQLite, and the wish that it soon be so up to that number. */
uint64_t applier_kept(struct applier *self);
void applier_want_kept(struct applier *self, uint64_t number);
enum err applier_wait_kept(struct applier *self, uint64_t number, struct fault *why) MUST_CHECK;
/* Carries something out on the writing connection between two transactions, and waits for it. */
enum err applier_run(struct applier *self, enum err (*order)(struct writer *writer, void *context, struct fault *why),
                     void *context, struct fault *why) MUST_CHECK;

/* --- any thread --- */

/* Waits until the batch can be read; an error when it cannot be applied now. */
enum err applier_wait(struct applier *self, uint64_t number, struct fault *why) MUST_CHECK;
/* The same for everything that was given away before the call. */
enum err applier_wait_all(struct applier *self, struct fault *why) MUST_CHECK;

#endif
