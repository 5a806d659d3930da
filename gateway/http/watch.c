#include "http/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DROP_BYTES (64u << 10)

void watch_init(struct watch *self, size_t count_max, int64_t head_ms)
{
    *self = (struct watch){.first = NULL, .count_max = count_max, .head_ms = head_ms};
    pthread_mutex_init(&self->lock, NULL);
}

void watch_fini(struct watch *self)
{
    for (size_t i = 0; i < self->lingering_count; i++)
        close(self->lingering[i].fd);
    pthread_mutex_destroy(&self->lock);
}

struct watched *watch_open(struct watch *self, int fd, int64_t now_ms)
{
    struct watched *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->fd = fd;
    connection->since_ms = now_ms;
    pthread_mutex_lock(&self->lock);
    connection->excess = ++self->count > self->count_max;
    connection->next = self->first;
    if (self->first)
        self->first->prev = connection;
    self->first = connection;
    pthread_mutex_unlock(&self->lock);
    return connection;
}

static void start_lingering(struct watch *self, int fd, int64_t now_ms)
{
    if (self->lingering_count == WATCH_LINGER_MAX)
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return;
    shutdown(copy, SHUT_WR);
    self->lingering[self->lingering_count++] = (struct lingering){copy, now_ms + WATCH_LINGER_MS, 0};
}

void watch_close(struct watch *self, struct watched *connection, int64_t now_ms)
{
    if (!connection)
        return;
    pthread_mutex_lock(&self->lock);
    if (connection->linger)
        start_lingering(self, connection->fd, now_ms);
    self->count--;
    if (connection->next)
        connection->next->prev = connection->prev;
    if (connection->prev)
        connection->prev->next = connection->next;
    else
        self->first = connection->next;
    pthread_mutex_unlock(&self->lock);
    free(connection);
}

void watch_enter(struct watch *self, struct watched *connection, enum watch_phase phase, int64_t now_ms)
{
    if (!connection)
        return;
    pthread_mutex_lock(&self->lock);
    connection->phase = phase;
    connection->since_ms = now_ms;
    connection->bytes = 0;
    pthread_mutex_unlock(&self->lock);
}

void watch_bytes(struct watch *self, struct watched *connection, size_t bytes)
{
    if (!connection)
        return;
    pthread_mutex_lock(&self->lock);
    connection->bytes += bytes;
    pthread_mutex_unlock(&self->lock);
}

void watch_linger(struct watch *self, struct watched *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&self->lock);
    connection->linger = true;
    pthread_mutex_unlock(&self->lock);
}

static bool late(const struct watch *self, const struct watched *connection, int64_t now_ms)
{
    int64_t elapsed = now_ms - connection->since_ms;
    switch (connection->phase) {
    case WATCH_HEAD: return elapsed > self->head_ms;
    case WATCH_BODY:
        return elapsed > self->head_ms && connection->bytes < (uint64_t)(elapsed / 1000) * WATCH_BODY_RATE_MIN;
    case WATCH_BUSY: return false;
    }
    return false;
}

/* Reads what has come; false when the connection need not linger any longer. */
static bool drop_bytes(struct lingering *self, int64_t now_ms)
{
    char bytes[DROP_BYTES];
    ssize_t got = recv(self->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0)
        self->bytes += (uint64_t)got;
    bool open = got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
    return open && now_ms < self->until_ms && self->bytes < WATCH_LINGER_BYTES_MAX;
}

/* Only this thread takes out of the list; others append under the lock, so indexes below `count` stay. */
static void drop_ready(struct watch *self, const struct pollfd *fds, size_t count, int64_t now_ms)
{
    pthread_mutex_lock(&self->lock);
    for (size_t i = count; i-- > 0;) {
        struct lingering *one = &self->lingering[i];
        bool stays = fds[i].revents ? drop_bytes(one, now_ms) : now_ms < one->until_ms;
        if (!stays) {
            close(one->fd);
            self->lingering_count--;
            *one = self->lingering[self->lingering_count];
        }
    }
    pthread_mutex_unlock(&self->lock);
}

static void wait_lingering(struct watch *self, int64_t now_ms, int wait_ms)
{
    struct pollfd fds[WATCH_LINGER_MAX];
    pthread_mutex_lock(&self->lock);
    size_t count = self->lingering_count;
    for (size_t i = 0; i < count; i++)
        fds[i] = (struct pollfd){.fd = self->lingering[i].fd, .events = POLLIN};
    pthread_mutex_unlock(&self->lock);
    if (poll(fds, count, wait_ms) >= 0)
        drop_ready(self, fds, count, now_ms);
}

void watch_sweep(struct watch *self, int64_t now_ms, int wait_ms)
{
    pthread_mutex_lock(&self->lock);
    for (struct watched *connection = self->first; connection; connection = connection->next)
        if (late(self, connection, now_ms)) {
            shutdown(connection->fd, SHUT_RDWR);
            connection->phase = WATCH_BUSY; /* once is enough: the library sees the end and closes */
        }
    pthread_mutex_unlock(&self->lock);
    wait_lingering(self, now_ms, wait_ms);
}

static void shut(struct watch *self, bool idle_only)
{
    pthread_mutex_lock(&self->lock);
    for (struct watched *connection = self->first; connection; connection = connection->next)
        if (!idle_only || connection->phase == WATCH_HEAD)
            shutdown(connection->fd, SHUT_RDWR);
    pthread_mutex_unlock(&self->lock);
}

void watch_shut_idle(struct watch *self)
{
    shut(self, true);
}

void watch_shut_all(struct watch *self)
{
    shut(self, false);
}
