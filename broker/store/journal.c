#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define CRC_FROM   8
#define ZEROS_ONCE ((size_t)1 << 20)

static const char magic[4] = {'S', 'W', 'J', '1'};

struct segment {
    char path[PATH_MAX];
    int fd;
    bool direct;     /* O_DIRECT: what is written must lie at a multiple of JOURNAL_BLOCK, in memory too */
    uint64_t newest; /* number of the last record written into it; 0 = none in this term */
};

struct journal {
    struct segment segment[JOURNAL_SEGMENTS];
    struct journal_history history;
    char *blocks; /* the record that is written, as whole blocks */
    size_t blocks_room;
    size_t segment_bytes;
    size_t at;       /* where the next record begins */
    int active;      /* the segment it goes to */
    uint64_t newest; /* number of the last record */
    bool torn;       /* a write or a sync failed, and nobody knows what is on disk */
};

/* ---- records ---- */

struct head {
    uint32_t crc, len;
    uint64_t id, term, number;
};

static size_t blocks_of(size_t bytes)
{
    return (bytes + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static uint32_t crc_of(const char *record, size_t len)
{
    return (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)record + CRC_FROM,
                             JOURNAL_HEAD - CRC_FROM + len);
}

static void put_number(char *at, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        at[i] = (char)(unsigned char)(value >> (8 * i));
}

static void write_head(char *record, const struct journal_history *history, uint64_t number, size_t payload)
{
    memcpy(record, magic, sizeof magic);
    put_number(record + 8, history->id, 8);
    put_number(record + 16, history->term, 8);
    put_number(record + 24, number, 8);
    put_number(record + 32, payload, 4);
    put_number(record + 4, crc_of(record, payload), 4);
}

/* A whole record at the beginning of these bytes? */
static bool read_head(const char *at, size_t left, struct head *out)
{
    struct unpack from = {.at = at + sizeof magic, .left = JOURNAL_HEAD - sizeof magic};
    if (left < JOURNAL_HEAD || memcmp(at, magic, sizeof magic) != 0)
        return false;
    out->crc = unpack_u32(&from);
    out->id = unpack_u64(&from);
    out->term = unpack_u64(&from);
    out->number = unpack_u64(&from);
    out->len = unpack_u32(&from);
    return out->len <= left - JOURNAL_HEAD && crc_of(at, out->len) == out->crc;
}

enum err journal_record(struct buf *record)
{
    char *head;
    buf_clear(record);
    enum err err = buf_extend(record, JOURNAL_HEAD, &head);
    if (err == ERR_OK)
        memset(head, 0, JOURNAL_HEAD);
    return err;
}

/* ---- files ---- */

enum err journal_open(struct journal **out, const char *path, struct fault *why)
{
    struct journal *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%s: out of memory", path);
    for (int i = 0; i < JOURNAL_SEGMENTS; i++)
        self->segment[i].fd = -1;
    enum err err = ERR_OK;
    for (int i = 0; err == ERR_OK && i < JOURNAL_SEGMENTS; i++) {
        struct segment *segment = &self->segment[i];
        int len = snprintf(segment->path, sizeof segment->path, "%s.journal%d", path, i);
        if (len < 0 || (size_t)len >= sizeof segment->path)
            err = fault_set(why, ERR_TOO_LARGE, "%s: path too long", path);
        else if ((segment->fd = open(segment->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
            err = fault_errno(why, "%s", segment->path);
    }
    if (err != ERR_OK)
        journal_close(&self);
    *out = self;
    return err;
}

void journal_close(struct journal **self_p)
{
    struct journal *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < JOURNAL_SEGMENTS; i++)
        if (self->segment[i].fd >= 0)
            close(self->segment[i].fd);
    free(self->blocks);
    free(self);
    *self_p = NULL;
}

/* Not every file system has it, and one may want more alignment than we give. */
static void set_direct(struct segment *segment, bool on)
{
    int flags = fcntl(segment->fd, F_GETFL);
    segment->direct = fcntl(segment->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0 && on;
}

/* Only want of space is found before anything is written. After any other error some or all of it may be on disk: a
 * direct write goes to the device in parts that fail one by one, and one into the cache can fail behind the copying. */
static enum err write_failed(const struct segment *to, int reason, struct fault *why)
{
    enum err err = err_from_errno(reason) == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_IO;
    return fault_set(why, err, "record: cannot write %s: %s", to->path, strerror(reason));
}

/* *done = bytes that were taken before an error. */
static enum err write_all(struct segment *to, const char *bytes, size_t len, size_t at, size_t *done, struct fault *why)
{
    for (*done = 0; *done < len;) {
        ssize_t taken = pwrite(to->fd, bytes + *done, len - *done, (off_t)(at + *done));
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0 && errno == EINVAL && to->direct) {
            set_direct(to, false);
            continue;
        }
        if (taken <= 0)
            return write_failed(to, taken == 0 ? ENOSPC : errno, why);
        *done += (size_t)taken;
    }
    return ERR_OK;
}

static enum err sync_segment(const struct segment *segment, struct fault *why)
{
    return fdatasync(segment->fd) == 0
               ? ERR_OK
               : fault_set(why, ERR_IO, "record: cannot sync %s: %s", segment->path, strerror(errno));
}

/* The folder's entry of a new file must be on disk too. */
static enum err sync_folder(const char *path, struct fault *why)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    int fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fault_errno(why, "folder of %s", path);
    enum err err = fsync(fd) == 0 ? ERR_OK : fault_set(why, ERR_IO, "folder of %s: %s", path, strerror(errno));
    close(fd);
    return err;
}

static enum err fill(struct segment *segment, size_t bytes, struct fault *why)
{
    struct stat now;
    if (fstat(segment->fd, &now) != 0)
        return fault_errno(why, "%s", segment->path);
    char *zeros = calloc(1, ZEROS_ONCE);
    size_t done;
    enum err err = zeros ? ERR_OK : fault_set(why, ERR_MEMORY, "%s: out of memory", segment->path);
    for (size_t at = (size_t)now.st_size; err == ERR_OK && at < bytes; at += ZEROS_ONCE)
        err = write_all(segment, zeros, bytes - at < ZEROS_ONCE ? bytes - at : ZEROS_ONCE, at, &done, why);
    free(zeros);
    if (err == ERR_OK && fsync(segment->fd) != 0)
        err = fault_set(why, ERR_IO, "record: cannot sync %s: %s", segment->path, strerror(errno));
    return err == ERR_OK ? sync_folder(segment->path, why) : err;
}

/* ---- reading ---- */

/* The records of one segment, as they lie in memory. */
struct scan {
    const struct segment *segment;
    char *bytes;
    size_t len;
    uint64_t first; /* number of the first record of our history; 0 = none */
};

static enum err read_segment(const struct segment *segment, struct scan *scan, struct fault *why)
{
    struct stat now;
    *scan = (struct scan){.segment = segment};
    if (fstat(segment->fd, &now) != 0)
        return fault_errno(why, "%s", segment->path);
    scan->bytes = now.st_size > 0 ? malloc((size_t)now.st_size) : NULL;
    if (now.st_size > 0 && !scan->bytes)
        return fault_set(why, ERR_MEMORY, "%s: out of memory", segment->path);
    while (scan->len < (size_t)now.st_size) {
        ssize_t got = pread(segment->fd, scan->bytes + scan->len, (size_t)now.st_size - scan->len, (off_t)scan->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_set(why, ERR_UNAVAILABLE, "%s: %s", segment->path, strerror(errno));
        if (got == 0)
            break;
        scan->len += (size_t)got;
    }
    return ERR_OK;
}

/* The next whole record from *at on, damaged and unused blocks left out. */
static bool next_record(const struct scan *scan, size_t *at, struct head *head, struct bytes *payload)
{
    for (; *at < scan->len; *at += JOURNAL_BLOCK) {
        const char *record = scan->bytes + *at;
        if (!read_head(record, scan->len - *at, head))
            continue;
        *payload = (struct bytes){record + JOURNAL_HEAD, head->len};
        *at += blocks_of(JOURNAL_HEAD + head->len);
        return true;
    }
    return false;
}

static enum err look_through(struct scan *scan, const struct journal_history *of, struct fault *why)
{
    struct head head;
    struct bytes payload;
    for (size_t at = 0; next_record(scan, &at, &head, &payload);) {
        if (head.id != of->id || head.term > of->term)
            return fault_set(why, ERR_CONFLICT,
                             "%s: holds changes of another record, or of a later state of this one: put it back beside"
                             " the record it belongs to, or delete it",
                             scan->segment->path);
        if (head.term == of->term && scan->first == 0)
            scan->first = head.number;
    }
    return ERR_OK;
}

struct replay {
    const struct journal_history *of;
    uint64_t newest; /* already there */
    enum err (*each)(void *context, uint64_t number, struct bytes payload, struct fault *why);
    void *context;
};

static enum err replay_segment(const struct scan *scan, struct replay *replay, struct fault *why)
{
    struct head head;
    struct bytes payload;
    enum err err = ERR_OK;
    for (size_t at = 0; err == ERR_OK && next_record(scan, &at, &head, &payload);) {
        if (head.term != replay->of->term || head.number <= replay->newest)
            continue;
        if (head.number != replay->newest + 1)
            return fault_set(why, ERR_INVALID, "%s: damaged: batch %" PRIu64 " is there, batch %" PRIu64 " is not",
                             scan->segment->path, head.number, replay->newest + 1);
        replay->newest = head.number;
        err = replay->each(replay->context, head.number, payload, why);
        if (err != ERR_OK)
            fault_prefix(why, "%s: batch %" PRIu64 " at byte %zu: ", scan->segment->path, head.number,
                         (size_t)(payload.at - scan->bytes) - JOURNAL_HEAD);
    }
    return err;
}

enum err journal_replay(const struct journal *self, const struct journal_history *of, uint64_t after,
                        enum err (*each)(void *context, uint64_t number, struct bytes payload, struct fault *why),
                        void *context, struct fault *why)
{
    struct scan scans[JOURNAL_SEGMENTS] = {0};
    struct replay replay = {of, after, each, context};
    enum err err = ERR_OK;
    for (int i = 0; err == ERR_OK && i < JOURNAL_SEGMENTS; i++) {
        err = read_segment(&self->segment[i], &scans[i], why);
        if (err == ERR_OK)
            err = look_through(&scans[i], of, why);
    }
    int first = scans[1].first != 0 && (scans[0].first == 0 || scans[1].first < scans[0].first);
    for (int i = 0; err == ERR_OK && i < JOURNAL_SEGMENTS; i++)
        err = replay_segment(&scans[i ^ first], &replay, why);
    for (int i = 0; i < JOURNAL_SEGMENTS; i++)
        free(scans[i].bytes);
    return err;
}

/* ---- writing ---- */

enum err journal_begin(struct journal *self, const struct journal_history *of, size_t segment_bytes, struct fault *why)
{
    enum err err = ERR_OK;
    for (int i = 0; err == ERR_OK && i < JOURNAL_SEGMENTS; i++) {
        set_direct(&self->segment[i], false);
        err = fill(&self->segment[i], segment_bytes, why);
        set_direct(&self->segment[i], true);
        self->segment[i].newest = 0;
    }
    self->history = *of;
    self->segment_bytes = segment_bytes;
    self->active = 0;
    self->at = 0;
    self->newest = 0;
    return err;
}

uint64_t journal_left_behind(const struct journal *self)
{
    return self->segment[!self->active].newest;
}

/* Zeros up to the next block: a block that is written whole need not be read first. */
static enum err to_blocks(struct journal *self, const struct buf *record, size_t bytes)
{
    if (bytes > self->blocks_room) {
        char *room = aligned_alloc(JOURNAL_BLOCK, bytes);
        if (!room)
            return ERR_MEMORY;
        free(self->blocks);
        self->blocks = room;
        self->blocks_room = bytes;
    }
    memcpy(self->blocks, record->data, record->len);
    memset(self->blocks + record->len, 0, bytes - record->len);
    return ERR_OK;
}

static enum err write_blocks(struct journal *self, size_t bytes, uint64_t number, struct fault *why)
{
    struct segment *segment = &self->segment[self->active];
    size_t done;
    enum err err = write_all(segment, self->blocks, bytes, self->at, &done, why);
    if (err == ERR_NO_SPACE && done > 0)
        err = fault_set(why, ERR_IO, "record: a write to %s failed half way", segment->path); /* it may read as whole */
    if (err == ERR_OK)
        err = sync_segment(segment, why);
    self->torn = err == ERR_IO;
    if (err != ERR_OK)
        return err;
    self->at += bytes;
    self->newest = segment->newest = number;
    return ERR_OK;
}

enum err journal_append(struct journal *self, const struct buf *record, uint64_t kept, uint64_t *number,
                        struct fault *why)
{
    if (self->torn)
        return fault_set(why, ERR_IO, "record: an earlier write of the journal failed");
    size_t payload = record->len - JOURNAL_HEAD, need = blocks_of(record->len);
    if (need > self->segment_bytes || payload > UINT32_MAX)
        return fault_set(why, ERR_TOO_LARGE, "record: a batch of %zu bytes does not fit the journal", payload);
    bool turn = need > self->segment_bytes - self->at;
    if (turn && journal_left_behind(self) > kept)
        return fault_set(why, ERR_FULL, "record: the journal is full");
    enum err err = to_blocks(self, record, need);
    if (err != ERR_OK)
        return fault_set(why, err, "record: out of memory");
    if (turn) {
        self->active = !self->active;
        self->at = 0;
    }
    *number = self->newest + 1;
    write_head(self->blocks, &self->history, *number, payload);
    return write_blocks(self, need, *number, why);
}

void journal_remove(struct journal **self_p)
{
    for (int i = 0; i < JOURNAL_SEGMENTS; i++)
        unlink((*self_p)->segment[i].path);
    journal_close(self_p);
}
