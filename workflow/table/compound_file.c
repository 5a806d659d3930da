#include "table/compound_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES     512
#define HEADER_DIFAT     109 /* sector numbers of the FAT in the header */
#define ENTRY_BYTES      128
#define ENTRY_NAME_BYTES 64
#define MINI_SHIFT       6
#define SECTOR_LAST      0xFFFFFFFAu /* greater: end of chain, free, ... */
#define TYPE_STREAM      2

/* A chain of sectors: where the bytes of a stream are. */
struct chain {
    uint32_t *sector;
    size_t count;
};

struct compound_file {
    int fd;
    uint64_t file_bytes;
    unsigned shift; /* of a sector's size */
    uint32_t *fat;  /* the sector that follows each */
    size_t fat_count;
    struct chain stream; /* of the stream, or of the file's small streams together */
    uint32_t *mini;      /* sectors of 64 bytes within those, when the stream is a small one */
    size_t mini_count;
    bool is_mini;
    uint64_t size;
};

static uint16_t get16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static enum err broken(struct fault *why, const char *what)
{
    return fault_set(why, ERR_INVALID, "the workbook is damaged: %s", what);
}

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "no memory for the workbook's tables");
}

static enum err read_at(const struct compound_file *self, uint64_t offset, void *to, size_t len, struct fault *why)
{
    char *at = to;
    if (offset > self->file_bytes || len > self->file_bytes - offset)
        return broken(why, "it is cut off");
    while (len > 0) {
        ssize_t got = pread(self->fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_errno(why, "cannot read the file");
        if (got == 0)
            return broken(why, "it is cut off");
        at += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return ERR_OK;
}

static uint64_t sector_offset(const struct compound_file *self, uint32_t sector)
{
    return ((uint64_t)sector + 1) << self->shift;
}

static size_t sectors_max(const struct compound_file *self)
{
    return (size_t)(self->file_bytes >> self->shift);
}

/* --- the table of sectors --- */

static enum err load_fat_sector(struct compound_file *self, uint32_t sector, struct fault *why)
{
    size_t entries = (size_t)1 << (self->shift - 2);
    unsigned char *bytes = malloc((size_t)1 << self->shift);
    uint32_t *grown = reallocarray(self->fat, self->fat_count + entries, sizeof *grown);
    if (grown)
        self->fat = grown;
    enum err err =
        bytes && grown ? read_at(self, sector_offset(self, sector), bytes, entries * 4, why) : no_memory(why);
    for (size_t i = 0; err == ERR_OK && i < entries; i++)
        self->fat[self->fat_count++] = get32(bytes + 4 * i);
    free(bytes);
    return err;
}

/* The FAT's own sectors are listed in the header and, beyond 109, in a chain of sectors of such lists. */
static enum err load_fat(struct compound_file *self, const unsigned char *header, struct fault *why)
{
    size_t count = get32(header + 44), entries = ((size_t)1 << (self->shift - 2)) - 1;
    uint32_t list = get32(header + 68);
    enum err err = count <= sectors_max(self) ? ERR_OK : broken(why, "its sector table is larger than the file");
    for (size_t i = 0; i < HEADER_DIFAT && i < count && err == ERR_OK; i++)
        err = load_fat_sector(self, get32(header + 76 + 4 * i), why);
    for (size_t done = HEADER_DIFAT; done < count && err == ERR_OK;) {
        unsigned char entry[4];
        for (size_t i = 0; i < entries && done < count && err == ERR_OK; i++, done++) {
            err = read_at(self, sector_offset(self, list) + 4 * i, entry, sizeof entry, why);
            if (err == ERR_OK)
                err = load_fat_sector(self, get32(entry), why);
        }
        if (err == ERR_OK && done < count)
            err = read_at(self, sector_offset(self, list) + 4 * entries, entry, sizeof entry, why);
        if (err == ERR_OK)
            list = get32(entry);
    }
    return err;
}

static enum err follow(const uint32_t *next, size_t next_count, uint32_t sector, size_t max, struct chain *out,
                       struct fault *why)
{
    size_t room = 0;
    *out = (struct chain){.sector = NULL};
    for (; sector < SECTOR_LAST && out->count < max; sector = next[sector]) {
        if (sector >= next_count)
            return broken(why, "a chain of sectors leaves the file");
        if (out->count == next_count)
            return broken(why, "a chain of sectors goes in circles");
        if (out->count == room) {
            room = room ? room * 2 : 64;
            uint32_t *grown = reallocarray(out->sector, room, sizeof *grown);
            if (!grown)
                return no_memory(why);
            out->sector = grown;
        }
        out->sector[out->count++] = sector;
    }
    return ERR_OK;
}

static enum err read_chain(const struct compound_file *self, const struct chain *chain, uint64_t offset, void *to,
                           size_t len, struct fault *why)
{
    char *at = to;
    size_t size = (size_t)1 << self->shift;
    while (len > 0) {
        size_t index = (size_t)(offset >> self->shift), within = (size_t)(offset & (size - 1));
        if (index >= chain->count)
            return broken(why, "a stream is cut off");
        size_t run = 1; /* sectors that follow each other are read at once */
        while (index + run < chain->count && run * size - within < len &&
               chain->sector[index + run] == chain->sector[index] + run)
            run++;
        size_t part = run * size - within < len ? run * size - within : len;
        enum err err = read_at(self, sector_offset(self, chain->sector[index]) + within, at, part, why);
        if (err != ERR_OK)
            return err;
        at += part;
        offset += part;
        len -= part;
    }
    return ERR_OK;
}

/* --- the folder --- */

struct entry {
    bool found;
    uint32_t start;
    uint64_t size;
};

static bool has_name(const unsigned char *entry, const char *name)
{
    size_t len = strlen(name);
    if (get16(entry + ENTRY_NAME_BYTES) != 2 * (len + 1))
        return false;
    for (size_t i = 0; i < len; i++)
        if (entry[2 * i + 1] != 0 || strncasecmp((const char *)entry + 2 * i, name + i, 1) != 0)
            return false;
    return true;
}

static struct entry take_entry(const struct compound_file *self, const unsigned char *bytes)
{
    uint64_t high = self->shift > 9 ? get32(bytes + 124) : 0; /* small files may have anything there */
    return (struct entry){.found = true, .start = get32(bytes + 116), .size = get32(bytes + 120) | high << 32};
}

static enum err find_entry(const struct compound_file *self, const struct chain *folder, const char *name,
                           struct entry *root, struct entry *out, struct fault *why)
{
    size_t count = (folder->count << self->shift) / ENTRY_BYTES;
    unsigned char bytes[ENTRY_BYTES];
    for (size_t i = 0; i < count && !out->found; i++) {
        enum err err = read_chain(self, folder, (uint64_t)i * ENTRY_BYTES, bytes, sizeof bytes, why);
        if (err != ERR_OK)
            return err;
        if (i == 0)
            *root = take_entry(self, bytes);
        if (bytes[66] == TYPE_STREAM && has_name(bytes, name))
            *out = take_entry(self, bytes);
    }
    return ERR_OK;
}

/* Small streams share one stream of their own, in sectors of 64 bytes with a table of their own. */
static enum err load_mini(struct compound_file *self, const unsigned char *header, const struct entry *root,
                          uint32_t start, struct fault *why)
{
    struct chain table = {.sector = NULL}, sectors = {.sector = NULL};
    enum err err = follow(self->fat, self->fat_count, get32(header + 60), SIZE_MAX, &table, why);
    size_t count = (table.count << self->shift) / 4;
    uint32_t *next = err == ERR_OK ? calloc(count + 1, sizeof *next) : NULL;
    if (err == ERR_OK && !next)
        err = no_memory(why);
    if (err == ERR_OK)
        err = read_chain(self, &table, 0, next, count * 4, why);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        next[i] = get32((const unsigned char *)&next[i]);
    if (err == ERR_OK)
        err = follow(next, count, start, SIZE_MAX, &sectors, why);
    self->mini = sectors.sector;
    self->mini_count = sectors.count;
    self->is_mini = true;
    free(next);
    free(table.sector);
    return err == ERR_OK ? follow(self->fat, self->fat_count, root->start, SIZE_MAX, &self->stream, why) : err;
}

static enum err open_stream(struct compound_file *self, const unsigned char *header, const char *const *names,
                            struct fault *why)
{
    struct chain folder;
    struct entry root = {.found = false}, entry = {.found = false};
    enum err err = follow(self->fat, self->fat_count, get32(header + 48), SIZE_MAX, &folder, why);
    for (; err == ERR_OK && *names && !entry.found; names++)
        err = find_entry(self, &folder, *names, &root, &entry, why);
    free(folder.sector);
    if (err != ERR_OK)
        return err;
    if (!entry.found)
        return fault_set(why, ERR_NOT_FOUND, "the file has no workbook in it");
    if (entry.size > self->file_bytes)
        return broken(why, "a stream is larger than the file");
    self->size = entry.size;
    if (entry.size < get32(header + 56))
        return load_mini(self, header, &root, entry.start, why);
    return follow(self->fat, self->fat_count, entry.start, SIZE_MAX, &self->stream, why);
}

/* Programs save web pages and plain text under the name of a workbook. */
static enum err check_magic(const struct compound_file *self, struct fault *why)
{
    static const unsigned char magic[8] = {0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1};
    unsigned char start[sizeof magic] = {0};
    size_t len = self->file_bytes < sizeof magic ? (size_t)self->file_bytes : sizeof magic;
    enum err err = read_at(self, 0, start, len, why);
    if (err != ERR_OK || memcmp(start, magic, sizeof magic) == 0)
        return err;
    return fault_set(why, ERR_INVALID, "File is not an Excel workbook, only named like one");
}

static enum err open_file(struct compound_file *self, const char *const *names, struct fault *why)
{
    struct stat about;
    unsigned char header[HEADER_BYTES];
    if (fstat(self->fd, &about) != 0)
        return fault_errno(why, "cannot read the file");
    self->file_bytes = (uint64_t)about.st_size;
    enum err err = check_magic(self, why);
    if (err == ERR_OK)
        err = read_at(self, 0, header, sizeof header, why);
    if (err != ERR_OK)
        return err;
    self->shift = get16(header + 30);
    if ((self->shift != 9 && self->shift != 12) || get16(header + 32) != MINI_SHIFT)
        return broken(why, "its sectors have no known size");
    err = load_fat(self, header, why);
    return err == ERR_OK ? open_stream(self, header, names, why) : err;
}

enum err compound_file_open(struct compound_file **out, int fd, const char *const *names, struct fault *why)
{
    struct compound_file *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return no_memory(why);
    self->fd = fd;
    enum err err = open_file(self, names, why);
    if (err != ERR_OK)
        compound_file_destroy(out);
    return err;
}

void compound_file_destroy(struct compound_file **self_p)
{
    if (*self_p) {
        free((*self_p)->fat);
        free((*self_p)->stream.sector);
        free((*self_p)->mini);
    }
    free(*self_p);
    *self_p = NULL;
}

uint64_t compound_file_size(const struct compound_file *self)
{
    return self->size;
}

enum err compound_file_read(const struct compound_file *self, uint64_t offset, void *to, size_t len, struct fault *why)
{
    char *at = to;
    if (offset > self->size || len > self->size - offset)
        return broken(why, "it is cut off");
    if (!self->is_mini)
        return read_chain(self, &self->stream, offset, to, len, why);
    while (len > 0) {
        size_t index = (size_t)(offset >> MINI_SHIFT), within = (size_t)(offset & ((1u << MINI_SHIFT) - 1));
        size_t part = (1u << MINI_SHIFT) - within < len ? (1u << MINI_SHIFT) - within : len;
        if (index >= self->mini_count)
            return broken(why, "a stream is cut off");
        uint64_t from = ((uint64_t)self->mini[index] << MINI_SHIFT) + within;
        enum err err = read_chain(self, &self->stream, from, at, part, why);
        if (err != ERR_OK)
            return err;
        at += part;
        offset += part;
        len -= part;
    }
    return ERR_OK;
}
