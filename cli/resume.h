/* resume - the client's rule for a chat's events: apply, ignore or ask again. Pure: no socket, clock or JSON.
 *
 * A reader holds the chat's history up to `seq` of `epoch`. Record events of that epoch are numbered without a hole, so
 * the number alone tells a repeated event from the next one and from a loss. Progress has no number and is applied as
 * it comes. After a break the reader connects with the position it holds. */
#ifndef RESUME_H
#define RESUME_H

#include "err.h"

#include <stdint.h>

#define RESUME_EPOCH_MAX 65 /* bytes with the final NUL; a longer epoch is none we can have seen */

struct resume {
    char epoch[RESUME_EPOCH_MAX]; /* "" = none yet */
    uint64_t seq;                 /* newest record event applied */
    bool attached;                /* a `connected` has been seen on this connection */
};

enum resume_verdict {
    RESUME_APPLY,
    RESUME_IGNORE, /* seen before, or before the first `connected` */
    RESUME_AGAIN,  /* something is missing: connect again from the position held */
};

/* What a `connected` frame means for what the reader shows. */
enum resume_start {
    RESUME_CONTINUE, /* what is shown stays right */
    RESUME_REBUILD,  /* forget it and start from the snapshot */
};

void resume_init(struct resume *self, const char *epoch, uint64_t seq);
/* The connection is gone; the position stays. */
void resume_lost(struct resume *self);
/* `how` is the frame's "resume" (NULL when absent), epoch may be NULL. */
enum resume_start resume_connected(struct resume *self, const char *how, const char *epoch, uint64_t seq);
/* An event without seq: has_seq false. */
enum resume_verdict resume_event(struct resume *self, bool has_seq, uint64_t seq, const char *epoch);
/* The query of the next connection: "" or "?since=12&epoch=0123...". NUL-terminated. */
#define RESUME_QUERY_MAX (RESUME_EPOCH_MAX + 48)
void resume_query(const struct resume *self, char out[RESUME_QUERY_MAX]);

#endif
