#include "table/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_BUFFER_BYTES (256u << 10)

struct output {
    int fd;
    uint64_t limit_bytes;
    const char *limit_key;
    uint64_t flushed; /* bytes in the file; what follows them is in the buffer */
    size_t used;
    char buffer[OUTPUT_BUFFER_BYTES];
};

enum err output_new(struct output **out, int fd, uint64_t limit_bytes, const char *limit_key, struct fault *why)
{
    struct output *self = malloc(sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory for an output buffer");
    self->fd = fd;
    self->limit_bytes = limit_bytes;
    self->limit_key = limit_key;
    self->flushed = 0;
    self->used = 0;
    return ERR_OK;
}

static enum err write_at(int fd, const char *bytes, size_t len, uint64_t offset, struct fault *why)
{
    while (len > 0 && fd >= 0) {
        ssize_t done = pwrite(fd, bytes, len, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fault_errno(why, "cannot write the output file");
        bytes += done;
        len -= (size_t)done;
        offset += (uint64_t)done;
    }
    return ERR_OK;
}

enum err output_flush(struct output *self, struct fault *why)
{
    enum err err = write_at(self->fd, self->buffer, self->used, self->flushed, why);
    if (err == ERR_OK) {
        self->flushed += self->used;
        self->used = 0;
    }
    return err;
}

static enum err check_limit(const struct output *self, size_t more, struct fault *why)
{
    uint64_t bytes = output_bytes(self);
    if (bytes <= self->limit_bytes && more <= self->limit_bytes - bytes)
        return ERR_OK;
    return fault_set(why, ERR_TOO_LARGE, "the output file would be larger than %" PRIu64 " bytes (%s)",
                     self->limit_bytes, self->limit_key);
}

enum err output_write(struct output *self, const void *bytes, size_t len, struct fault *why)
{
    enum err err = check_limit(self, len, why);
    if (err == ERR_OK && len > OUTPUT_BUFFER_BYTES - self->used)
        err = output_flush(self, why);
    if (err != ERR_OK)
        return err;
    if (len > OUTPUT_BUFFER_BYTES) {
        err = write_at(self->fd, bytes, len, self->flushed, why);
        self->flushed += err == ERR_OK ? len : 0;
        return err;
    }
    memcpy(self->buffer + self->used, bytes, len);
    self->used += len;
    return ERR_OK;
}

enum err output_hole(struct output *self, size_t len, struct hole *out, struct fault *why)
{
    *out = (struct hole){.offset = output_bytes(self), .len = len};
    enum err err = check_limit(self, len, why);
    while (err == ERR_OK && len > 0) {
        if (self->used == OUTPUT_BUFFER_BYTES)
            err = output_flush(self, why);
        size_t room = OUTPUT_BUFFER_BYTES - self->used;
        size_t part = len < room ? len : room;
        memset(self->buffer + self->used, ' ', part);
        self->used += part;
        len -= part;
    }
    return err;
}

/* A hole may lie in the file, in the buffer, or across both. */
enum err output_fill(struct output *self, struct hole where, const void *bytes, size_t len, struct fault *why)
{
    if (len > where.len || where.offset > output_bytes(self) || where.len > output_bytes(self) - where.offset)
        return fault_set(why, ERR_INTERNAL, "a hole of %zu bytes cannot take %zu bytes", where.len, len);
    const char *text = bytes;
    size_t in_file = 0;
    if (where.offset < self->flushed)
        in_file = self->flushed - where.offset < len ? (size_t)(self->flushed - where.offset) : len;
    enum err err = write_at(self->fd, text, in_file, where.offset, why);
    if (err == ERR_OK && len > in_file)
        memcpy(self->buffer + (where.offset + in_file - self->flushed), text + in_file, len - in_file);
    return err;
}

const char *output_unwritten(const struct output *self)
{
    return self->flushed == 0 ? self->buffer : NULL;
}

uint64_t output_bytes(const struct output *self)
{
    return self->flushed + self->used;
}

void output_destroy(struct output **self_p)
{
    free(*self_p);
    *self_p = NULL;
}
