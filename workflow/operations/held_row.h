/* held_row - a copy of one row, for an operation that must know whether another one comes before it writes the first.
 */
#ifndef HELD_ROW_H
#define HELD_ROW_H

#include "buf.h"
#include "table/cell.h"

struct held_row {
    struct cell *cell; /* owned; texts are in bytes */
    struct buf bytes;
};

/* memory_max: what the texts may need, 0 = no limit. ERR_MEMORY names the limit's key. */
enum err held_row_keep(struct held_row *out, const struct cell *cell, uint32_t count, uint64_t memory_max,
                       struct fault *why) MUST_CHECK;
void held_row_fini(struct held_row *self);

#endif
