#include "link.h"

#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define FRAME_BYTES_MAX (64u << 20)

struct link {
    uint64_t id;
    void *zmq; /* a context of its own: gone with the link, and its threads with it */
    void *requests, *feed;
    void *monitors[2];       /* of the two: PAIR, readable when a connection broke */
    zmq_msg_t answer, batch; /* what link_next_... lent out */
    struct buf frame;
};

static enum err zmq_fault(struct fault *why, const char *what)
{
    return fault_set(why, ERR_UNAVAILABLE, "%s: %s", what, zmq_strerror(zmq_errno()));
}

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static enum err watch(struct link *self, void *socket, void **monitor, const char *address, struct fault *why)
{
    *monitor = zmq_socket(self->zmq, ZMQ_PAIR);
    if (!*monitor || !set_int(*monitor, ZMQ_LINGER, 0) ||
        zmq_socket_monitor(socket, address, ZMQ_EVENT_DISCONNECTED) != 0 || zmq_connect(*monitor, address) != 0)
        return zmq_fault(why, "monitor of a link's socket");
    return ERR_OK;
}

static enum err open_requests(struct link *self, const struct settings *settings, struct fault *why)
{
    enum err err = endpoint_connect(&self->requests, self->zmq, settings, ENDPOINT_REQUESTS, why);
    return err == ERR_OK ? watch(self, self->requests, &self->monitors[0], "inproc://requests", why) : err;
}

static enum err open_feed(struct link *self, const struct settings *settings, struct fault *why)
{
    char topic[FEED_TOPIC_MAX];
    size_t len = feed_topic(self->id, topic);
    enum err err = endpoint_connect(&self->feed, self->zmq, settings, ENDPOINT_FEED, why);
    if (err == ERR_OK && zmq_setsockopt(self->feed, ZMQ_SUBSCRIBE, topic, len) != 0)
        err = zmq_fault(why, "subscription of the feed");
    return err == ERR_OK ? watch(self, self->feed, &self->monitors[1], "inproc://feed", why) : err;
}

enum err link_new(struct link **out, const struct settings *settings, struct fault *why)
{
    *out = NULL;
    struct link *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "link: no memory");
    zmq_msg_init(&self->answer);
    zmq_msg_init(&self->batch);
    self->frame = BUF_INIT(FRAME_BYTES_MAX);
    self->id = id_u64();
    self->zmq = zmq_ctx_new();
    enum err err = self->zmq ? open_requests(self, settings, why) : zmq_fault(why, "context");
    if (err == ERR_OK)
        err = open_feed(self, settings, why);
    if (err == ERR_OK)
        *out = self;
    else
        link_destroy(&self);
    return err;
}

static void close_socket(void *socket)
{
    if (socket)
        zmq_close(socket);
}

/* In this order: ZeroMQ forgets to free an event that it cannot hand to a monitor that is gone. */
static void close_watched(void *socket, void *monitor)
{
    if (socket)
        zmq_socket_monitor(socket, NULL, 0);
    close_socket(monitor);
    close_socket(socket);
}

void link_destroy(struct link **self_p)
{
    struct link *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    zmq_msg_close(&self->answer);
    zmq_msg_close(&self->batch);
    close_watched(self->requests, self->monitors[0]);
    close_watched(self->feed, self->monitors[1]);
    if (self->zmq)
        zmq_ctx_term(self->zmq);
    buf_fini(&self->frame);
    free(self);
}

uint64_t link_id(const struct link *self)
{
    return self->id;
}

/* What the monitor says is one kind of event in two frames: that it came is all there is to know. */
static bool monitor_spoke(void *monitor)
{
    char frame[512];
    bool spoke = false;
    while (zmq_recv(monitor, frame, sizeof frame, ZMQ_DONTWAIT) >= 0)
        spoke = true;
    return spoke;
}

void link_wait(struct link *self, const struct link_ready *want, int letters_fd, int timeout_ms, struct link_ready *out)
{
    zmq_pollitem_t items[] = {
        {.socket = self->monitors[0], .events = ZMQ_POLLIN},
        {.socket = self->monitors[1], .events = ZMQ_POLLIN},
        {.socket = self->requests,
         .events = (short)((want->requests ? ZMQ_POLLIN : 0) | (want->room ? ZMQ_POLLOUT : 0))},
        {.socket = self->feed, .events = want->feed ? ZMQ_POLLIN : 0},
        {.fd = letters_fd, .events = want->letters ? ZMQ_POLLIN : 0},
    };
    int found = zmq_poll(items, sizeof items / sizeof *items, timeout_ms);
    *out = (struct link_ready){0};
    if (found <= 0)
        return;
    for (int i = 0; i < 2; i++)
        out->lost |= (items[i].revents & ZMQ_POLLIN) && monitor_spoke(self->monitors[i]);
    out->requests = items[2].revents & ZMQ_POLLIN;
    out->room = items[2].revents & ZMQ_POLLOUT;
    out->feed = items[3].revents & ZMQ_POLLIN;
    out->letters = items[4].revents & ZMQ_POLLIN;
}

enum err link_send(struct link *self, const struct request_frame *frame)
{
    buf_clear(&self->frame);
    enum err err = request_frame_write(frame, &self->frame);
    if (err != ERR_OK)
        return err;
    if (zmq_send(self->requests, self->frame.data, self->frame.len, ZMQ_DONTWAIT) >= 0)
        return ERR_OK;
    return zmq_errno() == EAGAIN ? ERR_FULL : ERR_IO;
}

/* The last frame of the next message; frames before it (a topic) are checked by their socket's subscription. */
static enum err next_message(void *socket, zmq_msg_t *into, struct bytes *out)
{
    do {
        if (zmq_msg_recv(into, socket, ZMQ_DONTWAIT) < 0)
            return zmq_errno() == EAGAIN ? ERR_END : ERR_IO;
    } while (zmq_msg_more(into));
    *out = (struct bytes){zmq_msg_data(into), zmq_msg_size(into)};
    return ERR_OK;
}

enum err link_next_answer(struct link *self, struct bytes *out)
{
    return next_message(self->requests, &self->answer, out);
}

enum err link_next_batch(struct link *self, struct bytes *out)
{
    return next_message(self->feed, &self->batch, out);
}
