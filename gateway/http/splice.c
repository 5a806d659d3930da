#include "http/splice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void splices_fini(struct splices *self)
{
    for (size_t i = 0; i < self->count; i++)
        close(self->list[i].fd);
    free(self->list);
    *self = SPLICES_INIT;
}

enum err splices_add(struct splices *self, size_t at, int fd, uint64_t bytes)
{
    if (self->count == self->room) {
        size_t room = self->room ? self->room * 2 : 4;
        struct splice *list = realloc(self->list, room * sizeof *list);
        if (!list) {
            close(fd);
            return ERR_MEMORY;
        }
        self->list = list;
        self->room = room;
    }
    self->list[self->count++] = (struct splice){.at = at, .fd = fd, .bytes = bytes};
    return ERR_OK;
}

void splices_shift(struct splices *self, size_t by)
{
    for (size_t i = 0; i < self->count; i++)
        self->list[i].at += by;
}

uint64_t splices_bytes(const struct splices *self)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < self->count; i++)
        bytes += self->list[i].bytes;
    return bytes;
}

static ssize_t read_file(const struct splice *splice, uint64_t from, char *out, size_t max)
{
    uint64_t left = splice->bytes - from;
    ssize_t len;
    do
        len = pread(splice->fd, out, left < max ? (size_t)left : max, (off_t)from);
    while (len < 0 && errno == EINTR);
    return len > 0 ? len : -1;
}

/* Walks over pieces: the text up to a splice, its file, and so on; `from` is what is left to skip. */
ssize_t splices_read(const struct splices *self, const char *text, size_t len, uint64_t from, char *out, size_t max)
{
    size_t at = 0;
    for (size_t i = 0; i <= self->count; i++) {
        size_t end = i < self->count ? self->list[i].at : len;
        if (from < end - at) {
            size_t piece = end - at - (size_t)from;
            piece = piece < max ? piece : max;
            memcpy(out, text + at + from, piece);
            return (ssize_t)piece;
        }
        from -= end - at;
        at = end;
        if (i == self->count)
            break;
        if (from < self->list[i].bytes)
            return read_file(&self->list[i], from, out, max);
        from -= self->list[i].bytes;
    }
    return 0;
}
