/* stamp - writes a client's event: our members first, then the sender's own bytes, spliced in and never re-encoded.
 * Members whose names are ours are left out however their names are escaped, so nobody can pass off a `seq` of his own.
 */
#ifndef STAMP_H
#define STAMP_H

#include "buf.h"
#include "json_scan.h"

#include <stdint.h>

struct stamp {
    const char *type;
    const char *chat_id;
    uint64_t seq; /* 0 = state: neither seq nor epoch */
    const char *epoch;
    const char *timestamp; /* RFC 3339 */
    const char *job_id;    /* NULL = none: then no attempt either */
    uint32_t attempt;      /* 0 = leave out */
    bool outside;          /* source: "outside" */
};

/* `members` (NULL = none) without the names in `dropped` (ended by NULL; NULL = none) and without the stamped ones;
 * `extra` (NULL = none) is text of further members: `"a":1,"b":2`. */
enum err stamp_write(struct buf *out, const struct stamp *stamp, const char *extra, const struct json_members *members,
                     const char *const *dropped) MUST_CHECK;

#endif
