/* bench_queue_floor PORT FILE: the least a durable queue behind a socket of libzmq can do. Takes every request that
 * waits on a ROUTER at 127.0.0.1:PORT, writes their bytes into blocks of FILE that exist already, syncs once, and
 * answers each. Nothing is understood, remembered or handed out: the limit for the puts and acknowledged events of any
 * broker that uses libzmq on this machine and disk. Ends when it is told to by a signal. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define BLOCK     4096u
#define FILE_SIZE ((size_t)32 << 20) /* written round and round */
#define TURN_MAX  1024               /* requests before a sync */
#define PEER_MAX  256

struct peer {
    char id[PEER_MAX];
    size_t len;
};

struct floor {
    void *router;
    int news; /* readable: the router has something new */
    int file;
    size_t at;    /* in the file */
    char *blocks; /* of one turn */
    size_t room, used;
    struct peer peers[TURN_MAX];
    size_t count;
};

static void fail(const char *what)
{
    fprintf(stderr, "bench_queue_floor: %s: %s\n", what, zmq_strerror(errno));
    exit(1);
}

static void open_file(struct floor *self, const char *path)
{
    self->room = (size_t)1 << 20;
    self->blocks = aligned_alloc(BLOCK, self->room);
    if (!self->blocks)
        fail("memory");
    memset(self->blocks, 0, self->room);
    self->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (size_t at = 0; at < FILE_SIZE; at += self->room)
        if (pwrite(self->file, self->blocks, self->room, (off_t)at) != (ssize_t)self->room)
            fail(path);
    if (fsync(self->file) != 0)
        fail(path);
    fcntl(self->file, F_SETFL, O_DIRECT); /* where the file system has it */
}

static void open_router(struct floor *self, const char *port)
{
    char address[64];
    size_t len = sizeof self->news;
    snprintf(address, sizeof address, "tcp://127.0.0.1:%s", port);
    self->router = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
    if (!self->router || zmq_bind(self->router, address) != 0 ||
        zmq_getsockopt(self->router, ZMQ_FD, &self->news, &len) != 0)
        fail(address);
}

/* One request; false when none waits. */
static bool take(struct floor *self)
{
    struct peer *peer = &self->peers[self->count];
    int len = zmq_recv(self->router, peer->id, PEER_MAX, ZMQ_DONTWAIT), more = 1;
    if (len < 0 && errno == EAGAIN)
        return false;
    if (len <= 0 || len > PEER_MAX)
        fail("receive");
    peer->len = (size_t)len;
    for (size_t size = sizeof more; more;) {
        int got = zmq_recv(self->router, self->blocks + self->used, self->room - self->used, 0);
        if (got < 0 || (size_t)got > self->room - self->used || zmq_getsockopt(self->router, ZMQ_RCVMORE, &more, &size))
            fail("receive");
        self->used += (size_t)got;
    }
    self->count++;
    return true;
}

static void keep(struct floor *self)
{
    size_t bytes = (self->used + BLOCK - 1) / BLOCK * BLOCK;
    if (bytes > FILE_SIZE - self->at)
        self->at = 0;
    if (pwrite(self->file, self->blocks, bytes, (off_t)self->at) != (ssize_t)bytes || fdatasync(self->file) != 0)
        fail("write");
    self->at += bytes;
    self->used = 0;
}

static void answer(struct floor *self)
{
    for (size_t i = 0; i < self->count; i++)
        if (zmq_send(self->router, self->peers[i].id, self->peers[i].len, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
            zmq_send(self->router, "{\"ok\":true}", 11, ZMQ_DONTWAIT) < 0)
            fail("send");
    self->count = 0;
}

int main(int argc, char **argv)
{
    static struct floor self;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_queue_floor PORT FILE\n");
        return 2;
    }
    open_file(&self, argv[2]);
    open_router(&self, argv[1]);
    for (;;) {
        while (self.count < TURN_MAX && self.room - self.used >= self.room / 2 && take(&self))
            continue;
        if (self.count > 0) {
            keep(&self);
            answer(&self);
            continue; /* sending may have swallowed the news of a request */
        }
        struct pollfd news = {.fd = self.news, .events = POLLIN};
        poll(&news, 1, -1);
    }
}
