/* row_set - the rows seen so far, for removing duplicates. Rows are compared as texts, byte by byte; an empty cell and
 * an error value are both nothing, as in the files we write.
 *
 * They are hashed under a random key, so that nobody can make a file whose rows all collide. Memory is bounded by the
 * limit given. Used by one thread. */
#ifndef ROW_SET_H
#define ROW_SET_H

#include "table/cell.h"

struct row_set;

/* memory_max: bytes the set may hold, 0 = no limit. */
enum err row_set_new(struct row_set **out, uint64_t memory_max, struct fault *why) MUST_CHECK;
void row_set_destroy(struct row_set **self_p);

/* Adds the cells; *added = false when the same cells were there already. ERR_MEMORY names the limit's key. */
enum err row_set_add(struct row_set *self, const struct cell *cell, uint32_t count, bool *added,
                     struct fault *why) MUST_CHECK;

uint64_t row_set_bytes(const struct row_set *self); /* of memory it holds */

#endif
