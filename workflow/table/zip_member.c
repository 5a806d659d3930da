#include "table/zip_member.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LOCAL_BYTES        30u
#define LOCAL_MAGIC        0x04034b50u
#define FLAG_ENCRYPTED     0x0001u
#define FLAG_MASKED        0x2000u
#define PACKED_BLOCK_BYTES (32u << 10)

struct zip_member {
    struct zip_archive *archive;
    struct zip_entry *entry;
    uint64_t data_offset;
    uint64_t packed_read; /* bytes taken from the file, the unused rest of `packed` included */
    uint64_t bytes_out;
    uint32_t crc;
    bool inflating; /* `inflate` holds memory */
    bool ended;
    z_stream inflate;
    unsigned char packed[PACKED_BLOCK_BYTES];
};

/* The local header repeats the directory's record; only its lengths are needed to find the data. */
static enum err find_data(struct zip_member *self, struct fault *why)
{
    unsigned char local[LOCAL_BYTES];
    enum err err = zip_archive_read(self->archive, self->entry->header_offset, local, sizeof local, why);
    if (err != ERR_OK)
        return err;
    if (zip_u32(local) != LOCAL_MAGIC)
        return fault_set(why, ERR_INVALID, "the zip archive is damaged: no member where its directory says");
    self->data_offset = self->entry->header_offset + LOCAL_BYTES + zip_u16(local + 26) + zip_u16(local + 28);
    if (self->data_offset > self->archive->file_bytes ||
        self->entry->packed_bytes > self->archive->file_bytes - self->data_offset)
        return fault_set(why, ERR_INVALID, "the zip archive is cut off");
    return ERR_OK;
}

static enum err too_much(const struct zip_archive *archive, struct fault *why)
{
    return fault_set(why, ERR_TOO_LARGE, "the file unpacks to more than %llu bytes",
                     (unsigned long long)archive->inflated_bytes_max);
}

/* An honest bomb is refused by what its directory says; one that says less than it holds is by count_bytes(). */
static enum err check_promise(const struct zip_member *self, struct fault *why)
{
    const struct zip_archive *archive = self->archive;
    uint64_t new_bytes = self->entry->bytes - self->entry->bytes_counted;
    return new_bytes > archive->inflated_bytes_max - archive->inflated_bytes ? too_much(archive, why) : ERR_OK;
}

static enum err start(struct zip_member *self, struct fault *why)
{
    if (self->entry->flags & (FLAG_ENCRYPTED | FLAG_MASKED))
        return fault_set(why, ERR_UNSUPPORTED, "the zip archive is encrypted");
    if (self->entry->method != ZIP_STORED && self->entry->method != ZIP_DEFLATED)
        return fault_set(why, ERR_UNSUPPORTED, "it is packed by method %u; only stored and deflated are supported",
                         self->entry->method);
    if (self->entry->method == ZIP_STORED && self->entry->packed_bytes != self->entry->bytes)
        return fault_set(why, ERR_INVALID, "the zip archive is damaged: a stored member of two sizes");
    enum err err = check_promise(self, why);
    if (err == ERR_OK)
        err = find_data(self, why);
    if (err != ERR_OK)
        return err;
    self->crc = (uint32_t)crc32(0, NULL, 0);
    if (self->entry->method == ZIP_DEFLATED) {
        if (inflateInit2(&self->inflate, -MAX_WBITS) != Z_OK)
            return fault_set(why, ERR_MEMORY, "Out of memory");
        self->inflating = true;
    }
    return ERR_OK;
}

enum err zip_member_new(struct zip_member **out, struct zip_archive *archive, struct zip_entry *entry,
                        struct fault *why)
{
    *out = NULL;
    struct zip_member *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    self->archive = archive;
    self->entry = entry;
    enum err err = start(self, why);
    if (err != ERR_OK)
        zip_member_destroy(&self);
    *out = self;
    return err;
}

enum err zip_member_clone(struct zip_member **out, struct zip_member *from, struct fault *why)
{
    *out = NULL;
    struct zip_member *self = malloc(sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    memcpy(self, from, sizeof *self);
    if (from->inflating) {
        self->inflating = inflateCopy(&self->inflate, &from->inflate) == Z_OK;
        if (!self->inflating) {
            free(self);
            return fault_set(why, ERR_MEMORY, "Out of memory");
        }
        self->inflate.next_in = self->packed + (from->inflate.next_in ? from->inflate.next_in - from->packed : 0);
    }
    *out = self;
    return ERR_OK;
}

void zip_member_destroy(struct zip_member **self_p)
{
    struct zip_member *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->inflating)
        inflateEnd(&self->inflate);
    free(self);
}

uint64_t zip_member_consumed(const struct zip_member *self)
{
    return self->packed_read - (self->inflating ? self->inflate.avail_in : 0);
}

static enum err read_packed(struct zip_member *self, void *to, size_t room, size_t *len, struct fault *why)
{
    uint64_t left = self->entry->packed_bytes - self->packed_read;
    *len = left < room ? (size_t)left : room;
    enum err err = zip_archive_read(self->archive, self->data_offset + self->packed_read, to, *len, why);
    self->packed_read += *len;
    return err;
}

static enum err inflate_some(struct zip_member *self, void *to, size_t room, size_t *len, struct fault *why)
{
    z_stream *inflater = &self->inflate;
    inflater->next_out = to;
    inflater->avail_out = (uInt)room;
    int result = Z_OK;
    while (inflater->avail_out > 0 && result != Z_STREAM_END) {
        if (inflater->avail_in == 0) {
            size_t got;
            enum err err = read_packed(self, self->packed, sizeof self->packed, &got, why);
            if (err != ERR_OK)
                return err;
            inflater->next_in = self->packed;
            inflater->avail_in = (uInt)got;
        }
        result = inflate(inflater, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR)
            return fault_set(why, ERR_MEMORY, "Out of memory");
        if (result != Z_OK && result != Z_STREAM_END)
            return fault_set(why, ERR_INVALID, "its packed data is damaged or cut off");
    }
    *len = room - inflater->avail_out;
    self->ended = result == Z_STREAM_END;
    return ERR_OK;
}

/* Bytes read a second time (a rewind, a second pass) are not new bytes. */
static enum err count_bytes(struct zip_member *self, size_t len, struct fault *why)
{
    self->bytes_out += len;
    if (self->bytes_out > self->entry->bytes)
        return fault_set(why, ERR_INVALID, "it unpacks to more bytes than the archive's directory says");
    if (self->bytes_out <= self->entry->bytes_counted)
        return ERR_OK;
    self->archive->inflated_bytes += self->bytes_out - self->entry->bytes_counted;
    self->entry->bytes_counted = self->bytes_out;
    if (self->archive->inflated_bytes > self->archive->inflated_bytes_max)
        return too_much(self->archive, why);
    return ERR_OK;
}

static enum err check_end(const struct zip_member *self, struct fault *why)
{
    if (self->bytes_out != self->entry->bytes)
        return fault_set(why, ERR_INVALID, "it unpacks to fewer bytes than the archive's directory says");
    if (self->crc != self->entry->crc)
        return fault_set(why, ERR_INVALID, "its checksum (CRC-32) is wrong: the file is damaged");
    return ERR_OK;
}

enum err zip_member_read(void *member, void *to, size_t room, size_t *len, struct fault *why)
{
    struct zip_member *self = member;
    enum err err = ERR_OK;
    *len = 0;
    if (!self->ended) {
        if (self->inflating) {
            err = inflate_some(self, to, room, len, why);
        } else {
            err = read_packed(self, to, room, len, why);
            self->ended = *len == 0;
        }
    }
    if (err == ERR_OK && *len > 0) {
        self->crc = (uint32_t)crc32(self->crc, to, (uInt)*len);
        err = count_bytes(self, *len, why);
    }
    if (err == ERR_OK && *len == 0)
        err = check_end(self, why);
    return err;
}
