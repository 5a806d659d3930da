/* zip_build - zip packages made member by member for tests and fuzzers, honest or not. */
#ifndef ZIP_BUILD_H
#define ZIP_BUILD_H

#include "buf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

/* Aborts: such a failure is the machine's, not the tested code's. */
static inline void zip_build_must(bool yes)
{
    if (!yes)
        abort();
}

struct part {
    const char *name;
    const char *content;
    size_t len; /* 0: strlen(content) */
    bool deflated;
    bool descriptor; /* sizes and CRC behind the data, zeros in the local header */
    bool zip64;      /* sizes in the directory's extra field */
    uint16_t flags;  /* more of them */
    uint16_t method; /* another than stored and deflated */
    uint32_t crc_error;
    int64_t size_error; /* added to the size that the directory says */
};

struct zip_build {
    struct buf file, directory;
    uint32_t count;
};

static inline void zip_build_put(struct buf *to, uint64_t value, size_t bytes)
{
    for (; bytes > 0; bytes--, value >>= 8)
        zip_build_must(buf_add_byte(to, (uint8_t)value) == ERR_OK);
}

static inline struct zip_build zip_build_new(void)
{
    return (struct zip_build){.file = BUF_INIT(1u << 30), .directory = BUF_INIT(1u << 26)};
}

static inline char *zip_build_pack(const char *content, size_t len, size_t *packed_len)
{
    z_stream stream = {.zalloc = NULL};
    zip_build_must(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    size_t room = deflateBound(&stream, len);
    char *copy = malloc(len + 1), *packed = malloc(room);
    zip_build_must(copy && packed);
    memcpy(copy, content, len);
    stream.next_in = (Bytef *)copy;
    stream.avail_in = (uInt)len;
    stream.next_out = (Bytef *)packed;
    stream.avail_out = (uInt)room;
    zip_build_must(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    *packed_len = stream.total_out;
    deflateEnd(&stream);
    free(copy);
    return packed;
}

/* What local header and directory have in common. */
static inline void zip_build_record(struct buf *to, const struct part *part, uint32_t crc, uint64_t packed,
                                    uint64_t len, size_t extra)
{
    uint16_t method = part->method ? part->method : part->deflated ? 8 : 0;
    zip_build_put(to, part->zip64 ? 45 : 20, 2);
    zip_build_put(to, part->flags | (part->descriptor ? 8u : 0), 2);
    zip_build_put(to, method, 2);
    zip_build_put(to, 0x00210000, 4);
    zip_build_put(to, crc, 4);
    zip_build_put(to, packed, 4);
    zip_build_put(to, len, 4);
    zip_build_put(to, strlen(part->name), 2);
    zip_build_put(to, extra, 2);
}

static inline void zip_build_add(struct zip_build *self, struct part part)
{
    size_t len = part.len ? part.len : strlen(part.content), packed_len = len;
    char *packed = part.deflated ? zip_build_pack(part.content, len, &packed_len) : NULL;
    uint32_t crc = (uint32_t)crc32(0, (const Bytef *)part.content, (uInt)len) ^ part.crc_error;
    uint64_t said = (uint64_t)((int64_t)len + part.size_error), offset = self->file.len;
    zip_build_put(&self->file, 0x04034b50, 4);
    zip_build_record(&self->file, &part, part.descriptor ? 0 : crc, part.descriptor ? 0 : packed_len,
                     part.descriptor ? 0 : said, 0);
    zip_build_must(buf_add_text(&self->file, part.name) == ERR_OK);
    zip_build_must(buf_add(&self->file, packed ? packed : part.content, packed_len) == ERR_OK);
    if (part.descriptor) {
        zip_build_put(&self->file, 0x08074b50, 4);
        zip_build_put(&self->file, crc, 4);
        zip_build_put(&self->file, packed_len, 4);
        zip_build_put(&self->file, said, 4);
    }
    free(packed);
    struct buf *directory = &self->directory;
    zip_build_put(directory, 0x02014b50, 4);
    zip_build_put(directory, 20, 2);
    zip_build_record(directory, &part, crc, part.zip64 ? UINT32_MAX : packed_len, part.zip64 ? UINT32_MAX : said,
                     part.zip64 ? 28 : 0);
    zip_build_put(directory, 0, 2 + 2 + 2 + 4);
    zip_build_put(directory, part.zip64 ? UINT32_MAX : offset, 4);
    zip_build_must(buf_add_text(directory, part.name) == ERR_OK);
    if (part.zip64) {
        zip_build_put(directory, 1, 2);
        zip_build_put(directory, 24, 2);
        zip_build_put(directory, said, 8);
        zip_build_put(directory, packed_len, 8);
        zip_build_put(directory, offset, 8);
    }
    self->count++;
}

/* Ends the package and gives it as a file. */
static inline int zip_build_file(struct zip_build *self)
{
    size_t offset = self->file.len;
    if (self->directory.len > 0)
        zip_build_must(buf_add(&self->file, self->directory.data, self->directory.len) == ERR_OK);
    zip_build_put(&self->file, 0x06054b50, 4);
    zip_build_put(&self->file, 0, 4);
    zip_build_put(&self->file, self->count, 2);
    zip_build_put(&self->file, self->count, 2);
    zip_build_put(&self->file, self->directory.len, 4);
    zip_build_put(&self->file, offset, 4);
    zip_build_put(&self->file, 0, 2);
    int fd = memfd_create("package", MFD_CLOEXEC);
    zip_build_must(fd >= 0 && write(fd, self->file.data, self->file.len) == (ssize_t)self->file.len);
    buf_fini(&self->file);
    buf_fini(&self->directory);
    return fd;
}

#endif
