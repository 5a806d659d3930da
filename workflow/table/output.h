/* output - the bytes of one file on their way to disk: buffered, counted, limited, with holes.
 *
 * A hole is room for bytes known only at the end ("-- Total rows: N", the column widths of a sheet): it is reserved in
 * the stream and filled later by output_fill(). The descriptor belongs to the caller and must be seekable
 * (holes are filled with pwrite); with descriptor -1 the bytes are counted and thrown away. Used by one thread. */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "err.h"

#include <stdint.h>

struct output;

struct hole {
    uint64_t offset;
    size_t len;
};

/* limit_bytes: a write that would pass it is ERR_TOO_LARGE naming the limit and `limit_key` (the configuration key). */
enum err output_new(struct output **out, int fd, uint64_t limit_bytes, const char *limit_key,
                    struct fault *why) MUST_CHECK;
enum err output_write(struct output *self, const void *bytes, size_t len, struct fault *why) MUST_CHECK;
/* Reserves len bytes (written as spaces) at the present end. */
enum err output_hole(struct output *self, size_t len, struct hole *out, struct fault *why) MUST_CHECK;
/* Fills the hole from its start; len <= hole.len; the rest stays spaces. */
enum err output_fill(struct output *self, struct hole where, const void *bytes, size_t len,
                     struct fault *why) MUST_CHECK;
/* Writes what is buffered. Nothing is synced: committing the file is the worker's. */
enum err output_flush(struct output *self, struct fault *why) MUST_CHECK;
/* The bytes while all of them are still in the buffer; NULL once some have been written to the file. */
const char *output_unwritten(const struct output *self);
uint64_t output_bytes(const struct output *self); /* bytes so far, buffered ones and holes included */
void output_destroy(struct output **self_p);      /* does not flush, does not close */

#endif
