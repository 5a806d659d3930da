/* zip_archive - the table of contents of a zip file (APPNOTE.TXT 6.3.10, sections 4.3 to 4.5), read from a descriptor.
 *
 * Reads the central directory only, zip64 included, and refuses what cannot be an honest archive: members that overlap,
 * share a name or lie outside the file, more entries or bytes of directory than the limits below. Members are unpacked
 * by zip_member.h. Every read is a pread(): the descriptor's position is neither used nor moved. Used by one thread. */
#ifndef ZIP_ARCHIVE_H
#define ZIP_ARCHIVE_H

#include "err.h"

#include <stdint.h>

#define ZIP_ENTRIES_MAX         65536
#define ZIP_DIRECTORY_BYTES_MAX (16u << 20)

enum zip_method { ZIP_STORED = 0, ZIP_DEFLATED = 8 };

struct zip_entry {
    const char *name; /* NUL-terminated, backslashes turned into slashes */
    uint16_t flags;
    uint16_t method; /* may be one we cannot unpack: zip_member_new() says so */
    uint32_t crc;
    uint64_t packed_bytes;
    uint64_t bytes;
    uint64_t header_offset;
    uint64_t bytes_counted; /* how much of it already counts against inflated_bytes_max: a second reading is free */
};

struct zip_archive {
    int fd; /* borrowed */
    uint64_t file_bytes;
    uint64_t inflated_bytes;
    uint64_t inflated_bytes_max;
    uint32_t count;
    struct zip_entry *entry; /* sorted by name */
    char *names;
};

/* ERR_INVALID: no zip file, truncated, or damaged. ERR_TOO_LARGE: beyond the limits above. */
enum err zip_archive_new(struct zip_archive **out, int fd, uint64_t inflated_bytes_max, struct fault *why) MUST_CHECK;
void zip_archive_destroy(struct zip_archive **self_p);

/* By name, ASCII letters in any case (part names are, ECMA-376 part 2, 6.3.5), or NULL. */
struct zip_entry *zip_archive_find(struct zip_archive *self, const char *name);

/* Reads exactly len bytes at offset; ERR_INVALID with a text when the file ends before. */
enum err zip_archive_read(const struct zip_archive *self, uint64_t offset, void *to, size_t len,
                          struct fault *why) MUST_CHECK;

static inline uint16_t zip_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t zip_u32(const unsigned char *at)
{
    return zip_u16(at) | (uint32_t)zip_u16(at + 2) << 16;
}

static inline uint64_t zip_u64(const unsigned char *at)
{
    return zip_u32(at) | (uint64_t)zip_u32(at + 4) << 32;
}

#endif
