/* zip_write - writes a zip file member by member (APPNOTE.TXT 6.3.10) in constant memory, deflated, zip64 where needed.
 *
 * A member's sizes and CRC are known only at its end: its header is a hole of the output, filled then. So can be the
 * first bytes of a member (zip_write_reserve), which lie in deflate blocks of the stored kind (RFC 1951, 3.2.4).
 * Used by one thread. */
#ifndef ZIP_WRITE_H
#define ZIP_WRITE_H

#include "table/output.h"

#include "buf.h"

#include <zlib.h>

#define ZIP_WRITE_DIRECTORY_BYTES_MAX (1u << 20)
#define ZIP_WRITE_NAME_MAX            64
#define ZIP_WRITE_RESERVE_MAX         (2u << 20)
#define ZIP_WRITE_BLOCK_BYTES         (32u << 10)

struct zip_write {
    struct output *to; /* borrowed */
    uint32_t dos_time; /* of every member: date << 16 | time */
    uint32_t count;
    struct buf directory;
    bool deflating; /* `deflate` holds memory */
    bool tuned;
    z_stream deflate;

    /* The member being written. */
    char name[ZIP_WRITE_NAME_MAX];
    struct hole header, extra;
    struct hole reserved; /* the first reserved block's bytes; the others follow, each behind its block header */
    uint32_t reserved_crc;
    uint32_t crc; /* of what follows the reserved bytes */
    uint64_t data_offset;
    uint64_t bytes; /* reserved ones not counted */

    unsigned char packed[ZIP_WRITE_BLOCK_BYTES];
};

/* Level 1 to 9 of zlib. The time is Unix seconds, UTC (0: the format's first day, 1980-01-01). */
enum err zip_write_init(struct zip_write *self, struct output *to, int level, int64_t time_s,
                        struct fault *why) MUST_CHECK;
void zip_write_fini(struct zip_write *self);

enum err zip_write_begin(struct zip_write *self, const char *name, struct fault *why) MUST_CHECK;
/* Directly after begin: room for len bytes at the member's start, to be filled once before its end. */
enum err zip_write_reserve(struct zip_write *self, size_t len, struct fault *why) MUST_CHECK;
enum err zip_write_add(struct zip_write *self, const void *bytes, size_t len, struct fault *why) MUST_CHECK;
/* What is shorter than the reserved room is followed by spaces. */
enum err zip_write_fill(struct zip_write *self, const char *bytes, size_t len, struct fault *why) MUST_CHECK;
enum err zip_write_end(struct zip_write *self, struct fault *why) MUST_CHECK;

/* begin, add and end in one. */
enum err zip_write_member(struct zip_write *self, const char *name, const void *bytes, size_t len,
                          struct fault *why) MUST_CHECK;
/* The directory. Nothing may be written after it. */
enum err zip_write_finish(struct zip_write *self, struct fault *why) MUST_CHECK;

#endif
