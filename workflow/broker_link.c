#include "broker_link.h"

#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

#define LINGER_MS       200         /* for a BYE on its way */
#define FRAME_BYTES_MAX (16u << 20) /* far beyond an event and its detail */

struct broker_link {
    void *socket;
    void *monitor; /* PAIR: libzmq's events of the socket */
    struct buf out;
    zmq_msg_t in; /* the frame handed out last */
};

static enum err watch(struct broker_link *self, void *context, struct fault *why)
{
    char address[64];
    snprintf(address, sizeof address, "inproc://broker-link-%p", (void *)self);
    self->monitor = zmq_socket(context, ZMQ_PAIR);
    if (!self->monitor || zmq_socket_monitor(self->socket, address, ZMQ_EVENT_DISCONNECTED) != 0 ||
        zmq_connect(self->monitor, address) != 0)
        return fault_set(why, ERR_IO, "cannot watch the link to the broker: %s", zmq_strerror(zmq_errno()));
    return ERR_OK;
}

enum err broker_link_open(struct broker_link **out, void *context, const struct settings *settings, struct fault *why)
{
    struct broker_link *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory for the link to the broker");
    self->out = BUF_INIT(FRAME_BYTES_MAX);
    zmq_msg_init(&self->in);
    enum err err = endpoint_connect(&self->socket, context, settings, ENDPOINT_WORK, why);
    if (err == ERR_OK)
        err = watch(self, context, why);
    if (err != ERR_OK)
        broker_link_close(out);
    return err;
}

void broker_link_close(struct broker_link **self_p)
{
    struct broker_link *self = *self_p;
    if (self) {
        if (self->socket) {
            int linger = LINGER_MS;
            zmq_setsockopt(self->socket, ZMQ_LINGER, &linger, sizeof linger);
            zmq_socket_monitor(self->socket, NULL, 0);
            zmq_close(self->socket);
        }
        if (self->monitor)
            zmq_close(self->monitor);
        zmq_msg_close(&self->in);
        buf_fini(&self->out);
    }
    free(self);
    *self_p = NULL;
}

void *broker_link_socket(struct broker_link *self)
{
    return self->socket;
}

void *broker_link_monitor(struct broker_link *self)
{
    return self->monitor;
}

/* An event is two frames, number and address; which it is does not matter, because only one kind is asked for. */
bool broker_link_lost(struct broker_link *self)
{
    bool lost = false;
    char ignored[256];
    while (zmq_recv(self->monitor, ignored, sizeof ignored, ZMQ_DONTWAIT) >= 0)
        lost = true;
    return lost;
}

enum err broker_link_send(struct broker_link *self, const struct work_frame *frame)
{
    buf_clear(&self->out);
    enum err err = work_frame_write(frame, &self->out);
    if (err != ERR_OK)
        return err;
    int sent = zmq_send(self->socket, self->out.data, self->out.len, ZMQ_DONTWAIT);
    return sent < 0 ? ERR_UNAVAILABLE : ERR_OK;
}

enum err broker_link_receive(struct broker_link *self, struct work_frame *out)
{
    zmq_msg_close(&self->in);
    zmq_msg_init(&self->in);
    int len = zmq_msg_recv(&self->in, self->socket, ZMQ_DONTWAIT);
    if (len < 0)
        return ERR_END;
    if (zmq_msg_more(&self->in))
        return ERR_PROTOCOL; /* its other parts are read, and dropped, as messages of their own */
    return work_frame_read(out, zmq_msg_data(&self->in), (size_t)len);
}
