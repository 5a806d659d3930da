#include "mail.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Invariant, kept under the lock: the eventfd is readable exactly while count > 0. So a system call is made only when
 * the box turns from empty to not empty and back. */
struct mailbox {
    pthread_mutex_t lock;
    int fd;
    bool stopping;       /* MAIL_STOP is in the ring; a second one adds nothing */
    size_t room;         /* letters_max and one place kept for MAIL_STOP */
    size_t first, count; /* the ring */
    struct mail ring[];
};

enum err mailbox_new(struct mailbox **out, size_t letters_max)
{
    *out = NULL;
    struct mailbox *self = calloc(1, sizeof *self + (letters_max + 1) * sizeof *self->ring);
    if (!self)
        return ERR_MEMORY;
    self->room = letters_max + 1;
    self->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->fd < 0) {
        free(self);
        return ERR_IO;
    }
    pthread_mutex_init(&self->lock, NULL);
    *out = self;
    return ERR_OK;
}

void mailbox_destroy(struct mailbox **self_p)
{
    struct mailbox *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    struct mail letter;
    while (mailbox_take(self, &letter))
        mail_fini(&letter);
    close(self->fd);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Neither call can fail on an eventfd whose counter is 0 or 1. */
static void raise_fd(int fd)
{
    eventfd_write(fd, 1);
}

static void lower_fd(int fd)
{
    eventfd_t value;
    eventfd_read(fd, &value);
}

/* With the lock held: a place for this letter, or why not. */
static enum err place_for(const struct mailbox *self, const struct mail *letter)
{
    size_t kept = self->stopping ? 0 : 1;
    if (letter->kind == MAIL_STOP)
        kept = 0;
    return self->count + kept < self->room ? ERR_OK : ERR_FULL;
}

enum err mailbox_put(struct mailbox *self, const struct mail *letter)
{
    pthread_mutex_lock(&self->lock);
    bool again = letter->kind == MAIL_STOP && self->stopping;
    enum err err = again ? ERR_OK : place_for(self, letter);
    if (err == ERR_OK && !again) {
        self->ring[(self->first + self->count++) % self->room] = *letter;
        self->stopping |= letter->kind == MAIL_STOP;
        if (self->count == 1)
            raise_fd(self->fd);
    }
    pthread_mutex_unlock(&self->lock);
    return err;
}

bool mailbox_take(struct mailbox *self, struct mail *out)
{
    pthread_mutex_lock(&self->lock);
    bool got = self->count > 0;
    if (got) {
        *out = self->ring[self->first];
        self->first = (self->first + 1) % self->room;
        if (--self->count == 0)
            lower_fd(self->fd);
        if (out->kind == MAIL_STOP)
            self->stopping = false;
    }
    pthread_mutex_unlock(&self->lock);
    return got;
}

int mailbox_fd(const struct mailbox *self)
{
    return self->fd;
}

void mail_fini(struct mail *self)
{
    if (self->body)
        (self->free_body ? self->free_body : free)(self->body);
    self->body = NULL;
    self->len = 0;
}
