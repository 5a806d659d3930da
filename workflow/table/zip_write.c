#include "table/zip_write.h"

#include "table/date_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_BYTES   30u
#define CENTRAL_BYTES 46u
#define EXTRA_BYTES   20u /* of a local header: a zip64 field or padding of the same length */
#define STORED_BLOCK  65535u
#define BLOCK_HEADER  5u

#define VERSION       20u /* deflate */
#define VERSION_ZIP64 45u
#define FLAG_UTF8     0x0800u
#define METHOD        8u
#define ALL_ONES      0xFFFFFFFFu

#define EXTRA_ZIP64        0x0001u
#define EXTRA_PADDING      0xA220u /* the "growth hint" of ECMA-376 part 2, annex C */
#define EXTRA_PADDING_SIGN 0xA028u

/* zlib's own level 6 is (8, 16, 128, 128). Markup repeats itself in every cell, so hash chains are long and rarely lead
 * to a better match: on sheets these numbers pack 2 % better in little more than half the time. */
#define TUNED_LEVEL 6
#define TUNED_GOOD  8
#define TUNED_LAZY  32
#define TUNED_NICE  128
#define TUNED_CHAIN 24

#define DOS_EPOCH       0x00210000u /* 1980-01-01 00:00 */
#define UNIX_DAY        25569.0     /* the serial of 1970-01-01 */
#define SECONDS_PER_DAY 86400.0

static unsigned char *put16(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)value;
    at[1] = (unsigned char)(value >> 8);
    return at + 2;
}

static unsigned char *put32(unsigned char *at, uint32_t value)
{
    return put16(put16(at, value), value >> 16);
}

static unsigned char *put64(unsigned char *at, uint64_t value)
{
    return put32(put32(at, (uint32_t)value), (uint32_t)(value >> 32));
}

static uint32_t clip(uint64_t value)
{
    return value < ALL_ONES ? (uint32_t)value : ALL_ONES;
}

static uint32_t dos_time_of(int64_t time_s)
{
    char text[DATE_TEXT_MAX + 1];
    unsigned year, month, day, hour, minute, second;
    text[date_from_serial((double)time_s / SECONDS_PER_DAY + UNIX_DAY, false, text)] = '\0';
    if (sscanf(text, "%u-%u-%u %u:%u:%u", &year, &month, &day, &hour, &minute, &second) != 6 || year < 1980 ||
        year > 2107)
        return DOS_EPOCH;
    return (year - 1980) << 25 | month << 21 | day << 16 | hour << 11 | minute << 5 | second / 2;
}

enum err zip_write_init(struct zip_write *self, struct output *to, int level, int64_t time_s, struct fault *why)
{
    memset(self, 0, sizeof *self);
    self->to = to;
    self->tuned = level == TUNED_LEVEL;
    self->dos_time = dos_time_of(time_s);
    self->directory = BUF_INIT(ZIP_WRITE_DIRECTORY_BYTES_MAX);
    self->deflating = deflateInit2(&self->deflate, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return self->deflating ? ERR_OK : fault_set(why, ERR_MEMORY, "Out of memory");
}

void zip_write_fini(struct zip_write *self)
{
    if (self->deflating)
        deflateEnd(&self->deflate);
    self->deflating = false;
    buf_fini(&self->directory);
}

enum err zip_write_begin(struct zip_write *self, const char *name, struct fault *why)
{
    if (strlen(name) >= sizeof self->name)
        return fault_set(why, ERR_INTERNAL, "the member name '%s' is too long", name);
    memcpy(self->name, name, strlen(name) + 1);
    self->reserved = (struct hole){.len = 0};
    self->crc = self->reserved_crc = (uint32_t)crc32(0, NULL, 0);
    self->bytes = 0;
    deflateReset(&self->deflate); /* which forgets the tuning */
    if (self->tuned)
        deflateTune(&self->deflate, TUNED_GOOD, TUNED_LAZY, TUNED_NICE, TUNED_CHAIN);
    enum err err = output_hole(self->to, LOCAL_BYTES, &self->header, why);
    if (err == ERR_OK)
        err = output_write(self->to, name, strlen(name), why);
    if (err == ERR_OK)
        err = output_hole(self->to, EXTRA_BYTES, &self->extra, why);
    self->data_offset = output_bytes(self->to);
    return err;
}

enum err zip_write_reserve(struct zip_write *self, size_t len, struct fault *why)
{
    if (len > ZIP_WRITE_RESERVE_MAX || output_bytes(self->to) != self->data_offset)
        return fault_set(why, ERR_INTERNAL, "cannot reserve %zu bytes", len);
    enum err err = ERR_OK;
    for (size_t left = len; left > 0 && err == ERR_OK;) {
        uint32_t part = left < STORED_BLOCK ? (uint32_t)left : STORED_BLOCK;
        unsigned char block[BLOCK_HEADER] = {0}; /* not the last block, stored */
        put16(put16(block + 1, part), ~part);
        struct hole hole = {.len = 0};
        err = output_write(self->to, block, sizeof block, why);
        if (err == ERR_OK)
            err = output_hole(self->to, part, &hole, why);
        if (left == len)
            self->reserved.offset = hole.offset;
        left -= part;
    }
    self->reserved.len = len;
    return err;
}

enum err zip_write_fill(struct zip_write *self, const char *bytes, size_t len, struct fault *why)
{
    if (len > self->reserved.len)
        return fault_set(why, ERR_INTERNAL, "%zu bytes do not fit into the %zu reserved", len, self->reserved.len);
    enum err err = ERR_OK;
    struct hole hole = self->reserved;
    for (size_t at = 0; at < len && err == ERR_OK; at += hole.len) {
        hole.len = self->reserved.len - at < STORED_BLOCK ? self->reserved.len - at : STORED_BLOCK;
        err = output_fill(self->to, hole, bytes + at, len - at < hole.len ? len - at : hole.len, why);
        hole.offset += hole.len + BLOCK_HEADER;
    }
    uLong crc = crc32(crc32(0, NULL, 0), (const Bytef *)bytes, (uInt)len);
    for (size_t at = len; at < self->reserved.len; at++)
        crc = crc32(crc, (const Bytef *)" ", 1);
    self->reserved_crc = (uint32_t)crc;
    return err;
}

static enum err pack(struct zip_write *self, int flush, struct fault *why)
{
    int result;
    do {
        self->deflate.next_out = self->packed;
        self->deflate.avail_out = sizeof self->packed;
        result = deflate(&self->deflate, flush);
        if (result == Z_STREAM_ERROR)
            return fault_set(why, ERR_INTERNAL, "deflate failed");
        enum err err = output_write(self->to, self->packed, sizeof self->packed - self->deflate.avail_out, why);
        if (err != ERR_OK)
            return err;
    } while (self->deflate.avail_out == 0);
    return ERR_OK;
}

enum err zip_write_add(struct zip_write *self, const void *bytes, size_t len, struct fault *why)
{
    union {
        const void *from;
        Bytef *to;
    } input = {.from = bytes}; /* zlib takes a pointer without const and does not write through it */
    self->crc = (uint32_t)crc32(self->crc, bytes, (uInt)len);
    self->bytes += len;
    self->deflate.next_in = input.to;
    self->deflate.avail_in = (uInt)len;
    return pack(self, Z_NO_FLUSH, why);
}

/* The fields that local header and directory have in common, from "version needed" on: 26 bytes. */
static unsigned char *put_common(const struct zip_write *self, unsigned char *at, bool zip64, uint32_t crc,
                                 uint64_t packed, uint64_t bytes, uint32_t extra_bytes)
{
    at = put16(at, zip64 ? VERSION_ZIP64 : VERSION);
    at = put16(at, FLAG_UTF8);
    at = put16(at, METHOD);
    at = put32(at, self->dos_time);
    at = put32(at, crc);
    at = put32(at, zip64 ? ALL_ONES : (uint32_t)packed);
    at = put32(at, zip64 ? ALL_ONES : (uint32_t)bytes);
    at = put16(at, (uint32_t)strlen(self->name));
    return put16(at, extra_bytes);
}

static enum err fill_header(struct zip_write *self, bool zip64, uint32_t crc, uint64_t packed, uint64_t bytes,
                            struct fault *why)
{
    unsigned char header[LOCAL_BYTES], extra[EXTRA_BYTES] = {0};
    put_common(self, put32(header, 0x04034b50u), zip64, crc, packed, bytes, EXTRA_BYTES);
    unsigned char *at = put16(put16(extra, zip64 ? EXTRA_ZIP64 : EXTRA_PADDING), EXTRA_BYTES - 4);
    if (zip64)
        put64(put64(at, bytes), packed);
    else
        put16(at, EXTRA_PADDING_SIGN);
    enum err err = output_fill(self->to, self->header, header, sizeof header, why);
    return err == ERR_OK ? output_fill(self->to, self->extra, extra, sizeof extra, why) : err;
}

/* A directory record. Its zip64 field holds all three numbers as soon as one of them needs it. */
static enum err add_record(struct zip_write *self, uint32_t crc, uint64_t packed, uint64_t bytes, struct fault *why)
{
    bool zip64 = packed >= ALL_ONES || bytes >= ALL_ONES || self->header.offset >= ALL_ONES;
    unsigned char record[CENTRAL_BYTES + ZIP_WRITE_NAME_MAX + 28] = {0};
    unsigned char *at = put16(put32(record, 0x02014b50u), zip64 ? VERSION_ZIP64 : VERSION);
    put_common(self, at, zip64, crc, packed, bytes, zip64 ? 28 : 0);
    put32(record + 42, zip64 ? ALL_ONES : (uint32_t)self->header.offset);
    at = record + CENTRAL_BYTES;
    memcpy(at, self->name, strlen(self->name));
    at += strlen(self->name);
    if (zip64)
        at = put64(put64(put64(put16(put16(at, EXTRA_ZIP64), 24), bytes), packed), self->header.offset);
    self->count++;
    enum err err = buf_add(&self->directory, record, (size_t)(at - record));
    return err == ERR_OK ? ERR_OK : fault_set(why, err, "The zip directory is full");
}

enum err zip_write_end(struct zip_write *self, struct fault *why)
{
    enum err err = pack(self, Z_FINISH, why);
    if (err != ERR_OK)
        return err;
    uint64_t packed = output_bytes(self->to) - self->data_offset;
    uint64_t bytes = self->reserved.len + self->bytes;
    uint32_t crc = (uint32_t)crc32_combine(self->reserved_crc, self->crc, (z_off_t)self->bytes);
    err = fill_header(self, packed >= ALL_ONES || bytes >= ALL_ONES, crc, packed, bytes, why);
    return err == ERR_OK ? add_record(self, crc, packed, bytes, why) : err;
}

enum err zip_write_member(struct zip_write *self, const char *name, const void *bytes, size_t len, struct fault *why)
{
    enum err err = zip_write_begin(self, name, why);
    if (err == ERR_OK)
        err = zip_write_add(self, bytes, len, why);
    return err == ERR_OK ? zip_write_end(self, why) : err;
}

/* Needed only where the end record's 32-bit fields are too small. */
static unsigned char *put_end64(const struct zip_write *self, unsigned char *at, uint64_t offset)
{
    uint64_t end_offset = offset + self->directory.len;
    at = put64(put32(at, 0x06064b50u), 44);
    at = put32(put32(put16(put16(at, VERSION_ZIP64), VERSION_ZIP64), 0), 0);
    at = put64(put64(put64(put64(at, self->count), self->count), self->directory.len), offset);
    return put32(put64(put32(put32(at, 0x07064b50u), 0), end_offset), 1);
}

enum err zip_write_finish(struct zip_write *self, struct fault *why)
{
    uint64_t offset = output_bytes(self->to);
    unsigned char end[56 + 20 + 22];
    unsigned char *at = offset >= ALL_ONES ? put_end64(self, end, offset) : end;
    at = put32(put32(at, 0x06054b50u), 0);
    at = put16(put16(at, self->count), self->count);
    at = put16(put32(put32(at, (uint32_t)self->directory.len), clip(offset)), 0);
    enum err err = output_write(self->to, self->directory.data, self->directory.len, why);
    return err == ERR_OK ? output_write(self->to, end, (size_t)(at - end), why) : err;
}
