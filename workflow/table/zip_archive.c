/* The end of a zip file:
 *
 *   [ member | member | ... | central directory | zip64 end record, zip64 locator (if needed) | end record, comment ]
 *
 * The end record is found by searching backwards, because the comment after it has a free length. */
#include "table/zip_archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define END_BYTES         22u
#define COMMENT_BYTES_MAX 65535u
#define LOCATOR_BYTES     20u
#define END64_BYTES       56u
#define CENTRAL_BYTES     46u
#define LOCAL_BYTES       30u

#define END_MAGIC     0x06054b50u
#define LOCATOR_MAGIC 0x07064b50u
#define END64_MAGIC   0x06064b50u
#define CENTRAL_MAGIC 0x02014b50u

#define EXTRA_ZIP64 1u
#define IN_ZIP64_16 0xFFFFu
#define IN_ZIP64_32 0xFFFFFFFFu

struct directory {
    uint64_t offset, bytes, count;
};

static enum err damaged(struct fault *why, const char *what)
{
    return fault_set(why, ERR_INVALID, "The zip archive is damaged: %s", what);
}

enum err zip_archive_read(const struct zip_archive *self, uint64_t offset, void *to, size_t len, struct fault *why)
{
    if (offset > self->file_bytes || len > self->file_bytes - offset)
        return damaged(why, "it is cut off or its offsets are wrong");
    for (size_t done = 0; done < len;) {
        ssize_t got = pread(self->fd, (char *)to + done, len - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_errno(why, "Cannot read the file");
        if (got == 0)
            return damaged(why, "it ends too early");
        done += (size_t)got;
    }
    return ERR_OK;
}

static enum err find_end(const struct zip_archive *self, uint64_t *offset, unsigned char end[END_BYTES],
                         struct fault *why)
{
    size_t tail_bytes = END_BYTES + COMMENT_BYTES_MAX;
    if (tail_bytes > self->file_bytes)
        tail_bytes = (size_t)self->file_bytes;
    if (tail_bytes < END_BYTES)
        return fault_set(why, ERR_INVALID, "File is not a zip file");
    unsigned char *tail = malloc(tail_bytes);
    if (!tail)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    uint64_t tail_offset = self->file_bytes - tail_bytes;
    enum err err = zip_archive_read(self, tail_offset, tail, tail_bytes, why);
    size_t at = tail_bytes - END_BYTES + 1;
    while (err == ERR_OK) {
        if (at == 0) {
            err = fault_set(why, ERR_INVALID, "File is not a zip file, or it is cut off: it has no end record");
            break;
        }
        at--;
        if (zip_u32(tail + at) == END_MAGIC && zip_u16(tail + at + 20) <= tail_bytes - at - END_BYTES)
            break;
    }
    if (err == ERR_OK) {
        *offset = tail_offset + at;
        memcpy(end, tail + at, END_BYTES);
    }
    free(tail);
    return err;
}

/* The numbers that did not fit into the end record stand in the zip64 one, which its locator points to. */
static enum err read_end64(const struct zip_archive *self, uint64_t end_offset, struct directory *found,
                           struct fault *why)
{
    unsigned char locator[LOCATOR_BYTES], end[END64_BYTES];
    if (end_offset < LOCATOR_BYTES)
        return damaged(why, "its zip64 locator is missing");
    enum err err = zip_archive_read(self, end_offset - LOCATOR_BYTES, locator, sizeof locator, why);
    if (err != ERR_OK)
        return err;
    if (zip_u32(locator) != LOCATOR_MAGIC)
        return damaged(why, "its zip64 locator is missing");
    err = zip_archive_read(self, zip_u64(locator + 8), end, sizeof end, why);
    if (err != ERR_OK)
        return err;
    if (zip_u32(end) != END64_MAGIC)
        return damaged(why, "its zip64 end record is missing");
    *found = (struct directory){.count = zip_u64(end + 32), .bytes = zip_u64(end + 40), .offset = zip_u64(end + 48)};
    return ERR_OK;
}

static enum err find_directory(const struct zip_archive *self, struct directory *found, struct fault *why)
{
    unsigned char end[END_BYTES] = {0};
    uint64_t end_offset = 0;
    enum err err = find_end(self, &end_offset, end, why);
    if (err != ERR_OK)
        return err;
    *found = (struct directory){.count = zip_u16(end + 10), .bytes = zip_u32(end + 12), .offset = zip_u32(end + 16)};
    if (found->count == IN_ZIP64_16 || found->bytes == IN_ZIP64_32 || found->offset == IN_ZIP64_32)
        err = read_end64(self, end_offset, found, why);
    if (err != ERR_OK)
        return err;
    if (found->count > ZIP_ENTRIES_MAX || found->bytes > ZIP_DIRECTORY_BYTES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "The zip archive has more than %d members or %u bytes of directory",
                         ZIP_ENTRIES_MAX, ZIP_DIRECTORY_BYTES_MAX);
    if (found->offset > end_offset || found->bytes > end_offset - found->offset)
        return damaged(why, "its directory lies outside the file");
    return ERR_OK;
}

/* Takes the 64-bit values from the extra field, in their fixed order, for those that are all ones in the record. */
static bool apply_zip64(struct zip_entry *entry, const unsigned char *extra, size_t len)
{
    uint64_t *const wanted[] = {&entry->bytes, &entry->packed_bytes, &entry->header_offset};
    bool missing = false;
    for (size_t i = 0; i < 3; i++)
        missing = missing || *wanted[i] == IN_ZIP64_32;
    while (missing && len >= 4) {
        size_t field = zip_u16(extra + 2);
        if (field > len - 4)
            return false;
        if (zip_u16(extra) != EXTRA_ZIP64) {
            extra += 4 + field;
            len -= 4 + field;
            continue;
        }
        const unsigned char *at = extra + 4;
        for (size_t i = 0; i < 3; i++) {
            if (*wanted[i] != IN_ZIP64_32)
                continue;
            if (field < 8)
                return false;
            *wanted[i] = zip_u64(at);
            at += 8;
            field -= 8;
        }
        return true;
    }
    return true; /* a member of exactly 4 GiB - 1 is legal without the field */
}

/* One record of the directory. The names go one behind the other into self->names, each with a NUL. */
static enum err read_entry(struct zip_archive *self, const unsigned char **at, size_t *left, char **name,
                           struct fault *why)
{
    const unsigned char *record = *at;
    if (*left < CENTRAL_BYTES || zip_u32(record) != CENTRAL_MAGIC)
        return damaged(why, "its directory is cut off");
    size_t name_len = zip_u16(record + 28), extra_len = zip_u16(record + 30);
    size_t record_bytes = CENTRAL_BYTES + name_len + extra_len + zip_u16(record + 32);
    if (record_bytes > *left)
        return damaged(why, "its directory is cut off");
    struct zip_entry *entry = &self->entry[self->count++];
    *entry = (struct zip_entry){
        .name = *name,
        .flags = zip_u16(record + 8),
        .method = zip_u16(record + 10),
        .crc = zip_u32(record + 16),
        .packed_bytes = zip_u32(record + 20),
        .bytes = zip_u32(record + 24),
        .header_offset = zip_u32(record + 42),
    };
    for (size_t i = 0; i < name_len; i++) {
        char byte = (char)record[CENTRAL_BYTES + i];
        *(*name)++ = byte == '\\' ? '/' : byte;
    }
    *(*name)++ = '\0';
    if (!apply_zip64(entry, record + CENTRAL_BYTES + name_len, extra_len))
        return damaged(why, "a zip64 field is too short");
    *at += record_bytes;
    *left -= record_bytes;
    return ERR_OK;
}

static int by_offset(const void *a, const void *b)
{
    const struct zip_entry *const *x = a, *const *y = b;
    return (*x)->header_offset < (*y)->header_offset ? -1 : (*x)->header_offset > (*y)->header_offset;
}

/* Members that share bytes are how a small file unpacks to petabytes; no writer makes them. */
static enum err check_overlap(const struct zip_archive *self, uint64_t directory_offset, struct fault *why)
{
    const struct zip_entry **sorted = calloc((size_t)self->count + 1, sizeof *sorted);
    if (!sorted)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    for (uint32_t i = 0; i < self->count; i++)
        sorted[i] = &self->entry[i];
    qsort(sorted, self->count, sizeof *sorted, by_offset);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < self->count && err == ERR_OK; i++) {
        const struct zip_entry *entry = sorted[i];
        uint64_t limit = i + 1 < self->count ? sorted[i + 1]->header_offset : directory_offset;
        uint64_t least = LOCAL_BYTES + strlen(entry->name);
        if (entry->header_offset > limit || least > limit - entry->header_offset ||
            entry->packed_bytes > limit - entry->header_offset - least)
            err = damaged(why, "its members overlap or lie outside the file");
    }
    free(sorted);
    return err;
}

static int by_name(const void *a, const void *b)
{
    const struct zip_entry *x = a, *y = b;
    return strcasecmp(x->name, y->name);
}

/* Sorts the members for zip_archive_find(). Of two with one name each reader would take another. */
static enum err sort_entries(struct zip_archive *self, struct fault *why)
{
    qsort(self->entry, self->count, sizeof *self->entry, by_name);
    for (uint32_t i = 1; i < self->count; i++)
        if (by_name(&self->entry[i - 1], &self->entry[i]) == 0)
            return damaged(why, "two of its members have the same name");
    return ERR_OK;
}

static enum err read_directory(struct zip_archive *self, struct fault *why)
{
    struct directory found;
    enum err err = find_directory(self, &found, why);
    if (err != ERR_OK)
        return err;
    unsigned char *bytes = malloc((size_t)found.bytes + 1);
    self->entry = calloc((size_t)found.count + 1, sizeof *self->entry);
    self->names = malloc((size_t)found.bytes + 1); /* a record is longer than its name and NUL */
    if (!bytes || !self->entry || !self->names)
        err = fault_set(why, ERR_MEMORY, "Out of memory");
    if (err == ERR_OK)
        err = zip_archive_read(self, found.offset, bytes, (size_t)found.bytes, why);
    const unsigned char *at = bytes;
    size_t left = (size_t)found.bytes;
    char *name = self->names;
    while (err == ERR_OK && self->count < found.count)
        err = read_entry(self, &at, &left, &name, why);
    free(bytes);
    if (err == ERR_OK)
        err = sort_entries(self, why);
    return err == ERR_OK ? check_overlap(self, found.offset, why) : err;
}

enum err zip_archive_new(struct zip_archive **out, int fd, uint64_t inflated_bytes_max, struct fault *why)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return fault_errno(why, "Cannot read the file");
    if (!S_ISREG(info.st_mode))
        return fault_set(why, ERR_INVALID, "The file is not a regular file");
    struct zip_archive *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory");
    self->fd = fd;
    self->file_bytes = (uint64_t)info.st_size;
    self->inflated_bytes_max = inflated_bytes_max;
    enum err err = read_directory(self, why);
    if (err != ERR_OK)
        zip_archive_destroy(&self);
    *out = self;
    return err;
}

void zip_archive_destroy(struct zip_archive **self_p)
{
    struct zip_archive *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    free(self->entry);
    free(self->names);
    free(self);
}

struct zip_entry *zip_archive_find(struct zip_archive *self, const char *name)
{
    struct zip_entry key = {.name = name};
    return bsearch(&key, self->entry, self->count, sizeof *self->entry, by_name);
}
