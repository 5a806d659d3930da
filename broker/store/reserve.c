#include "store/reserve.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reserve {
    char path[PATH_MAX];
    int fd;
    size_t bytes;
    bool whole;
};

enum err reserve_open(struct reserve **out, const char *path, size_t bytes, struct fault *why)
{
    struct reserve *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return fault_set(why, ERR_MEMORY, "%s: out of memory", path);
    int len = snprintf(self->path, sizeof self->path, "%s.reserve", path);
    self->bytes = bytes;
    self->fd = len > 0 && (size_t)len < sizeof self->path ? open(self->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    enum err err = self->fd >= 0 ? ERR_OK : fault_errno(why, "%s", self->path);
    if (err != ERR_OK)
        reserve_close(&self);
    *out = self;
    return err;
}

void reserve_close(struct reserve **self_p)
{
    struct reserve *self = *self_p;
    if (!self)
        return;
    if (self->fd >= 0)
        close(self->fd);
    free(self);
    *self_p = NULL;
}

void reserve_remove(struct reserve **self_p)
{
    if (*self_p)
        unlink((*self_p)->path);
    reserve_close(self_p);
}

bool reserve_whole(const struct reserve *self)
{
    return self->whole;
}

bool reserve_give(struct reserve *self)
{
    bool given = self->whole && ftruncate(self->fd, 0) == 0;
    self->whole = false;
    return given;
}

enum err reserve_take(struct reserve *self, struct fault *why)
{
    int refused = self->whole ? 0 : posix_fallocate(self->fd, 0, (off_t)self->bytes);
    if (refused) {
        int given = ftruncate(self->fd, 0); /* half of it helps nobody */
        (void)given;
        return fault_set(why, err_from_errno(refused) == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_UNAVAILABLE, "%s: %s",
                         self->path, strerror(refused));
    }
    self->whole = true;
    return ERR_OK;
}
