#include "ports/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_ROOM ((size_t)16 << 10) /* at least so much for one read */
#define KEPT_ROOM ((size_t)32 << 10) /* memory of each direction that an idle peer keeps */
#define SENT_MOST ((size_t)1 << 20)  /* bytes already sent that may lie before those that wait */

enum err connection_init(struct connection *self, int fd, const struct connection_limits *limits)
{
    size_t frames = CONNECTION_PARTS * (ZMTP_HEAD_MAX + limits->body_max);
    *self = (struct connection){.fd = fd, .in = BUF_INIT(2 * (frames + READ_ROOM)), .out = BUF_INIT(limits->out_max)};
    return buf_add(&self->out, zmtp_greeting, ZMTP_GREETING);
}

void connection_fini(struct connection *self)
{
    close(self->fd);
    buf_fini(&self->in);
    buf_fini(&self->out);
}

/* ---- receiving ---- */

static size_t held(const struct connection *self)
{
    return self->in.len - self->start;
}

/* Taken bytes are overwritten before memory is asked for. Only a long frame has more than READ_ROOM of it. */
static enum err make_room(struct connection *self, char **at, size_t *room)
{
    connection_rest(self);
    size_t left = self->in.room > 0 ? self->in.room - 1 - self->in.len : 0;
    if (left < READ_ROOM / 2 && self->start > 0) {
        memmove(self->in.data, self->in.data + self->start, held(self));
        self->in.len -= self->start;
        self->start = 0;
        left = self->in.room - 1 - self->in.len;
    }
    size_t most = held(self) > READ_ROOM ? held(self) : READ_ROOM; /* a long frame doubles it */
    *room = left < READ_ROOM / 2 || left > most ? most : left;
    enum err err = buf_extend(&self->in, *room, at);
    if (err == ERR_OK)
        self->in.len -= *room;
    return err;
}

enum err connection_receive(struct connection *self, size_t *got, bool *drained)
{
    char *at;
    size_t room;
    *got = 0;
    *drained = true;
    enum err err = make_room(self, &at, &room);
    if (err != ERR_OK)
        return err;
    ssize_t count;
    do
        count = recv(self->fd, at, room, 0);
    while (count < 0 && errno == EINTR);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return ERR_END;
    if (count <= 0)
        return ERR_UNAVAILABLE;
    *got = (size_t)count;
    *drained = *got < room;
    self->in.len += *got;
    return ERR_OK;
}

/* ---- frames ---- */

static void take(struct connection *self, size_t bytes)
{
    self->start += bytes;
    self->parsed = 0;
}

static enum err next_frame(struct connection *self, size_t body_max, struct zmtp_frame *out, struct fault *why)
{
    const char *from = self->in.data ? self->in.data + self->start + self->parsed : "";
    enum err err = zmtp_read_frame(from, held(self) - self->parsed, body_max, out);
    if (err == ERR_TOO_LARGE)
        return fault_set(why, err, "a frame of more than %zu bytes", body_max);
    return err == ERR_PROTOCOL ? fault_set(why, err, "what it sent is not a frame") : err;
}

static enum err take_greeting(struct connection *self, struct fault *why)
{
    enum err err = zmtp_check_greeting(self->in.data ? self->in.data + self->start : "", held(self), why);
    if (err == ERR_OK)
        err = zmtp_write_ready(&self->out, "ROUTER");
    if (err != ERR_OK)
        return err;
    take(self, ZMTP_GREETING);
    self->state = CONNECTION_READY;
    return ERR_OK;
}

/* Makes way for so many bytes behind those that wait, if what is sent already stands in it. */
static void drop_sent(struct connection *self, size_t more)
{
    bool full = self->out.limit - self->out.len < more;
    if (self->sent == 0 || (!full && self->sent < SENT_MOST))
        return;
    self->out.len -= self->sent;
    memmove(self->out.data, self->out.data + self->sent, self->out.len);
    self->sent = 0;
}

/* Not to a peer that does not read. */
static enum err answer_ping(struct connection *self, struct bytes rest, struct fault *why)
{
    if (self->deaf)
        return ERR_OK;
    drop_sent(self, ZMTP_HEAD_MAX + rest.len);
    enum err err = zmtp_write_pong(&self->out, rest);
    if (err == ERR_PROTOCOL)
        return fault_set(why, err, "its PING cannot be read");
    return err == ERR_FULL ? ERR_OK : err;
}

static enum err take_command(struct connection *self, struct bytes body, struct fault *why)
{
    enum zmtp_command command;
    struct bytes rest;
    if (zmtp_read_command(body, &command, &rest) != ERR_OK)
        return fault_set(why, ERR_PROTOCOL, "what it sent is not a command");
    if (self->state == CONNECTION_OPEN)
        return command == ZMTP_PING ? answer_ping(self, rest, why) : ERR_OK;
    if (command != ZMTP_READY)
        return fault_set(why, ERR_PROTOCOL, "no READY after its greeting");
    enum err err = zmtp_check_ready(rest, why);
    if (err == ERR_OK)
        self->state = CONNECTION_OPEN;
    return err;
}

/* Of a message with too many frames none is kept: the last place is for a last frame only. */
static void take_part(struct connection *self, const struct zmtp_frame *frame)
{
    int wanted = self->count + (frame->flags & ZMTP_MORE ? 2 : 1); /* places, for this one and what must follow */
    if (wanted <= CONNECTION_PARTS) {
        self->part[self->count].at = (size_t)(frame->body.at - self->in.data) - self->start;
        self->part[self->count].len = frame->body.len;
        self->parsed += frame->size;
        self->count++;
        return;
    }
    take(self, self->parsed + frame->size);
    self->count = CONNECTION_PARTS + 1;
}

static void hand_over(struct connection *self, struct connection_message *out)
{
    *out = (struct connection_message){.count = self->count};
    for (int i = 0; i < self->count && self->count <= CONNECTION_PARTS; i++)
        out->part[i] = (struct bytes){self->in.data + self->start + self->part[i].at, self->part[i].len};
    take(self, self->parsed);
    self->count = 0;
}

/* ERR_OK: the message is whole. */
static enum err take_frame(struct connection *self, const struct connection_limits *limits, bool *whole,
                           struct fault *why)
{
    struct zmtp_frame frame;
    *whole = false;
    enum err err = next_frame(self, limits->body_max, &frame, why);
    if (err != ERR_OK)
        return err;
    if (frame.flags & ZMTP_COMMAND) {
        if (self->count > 0)
            return fault_set(why, ERR_PROTOCOL, "a command between the frames of a message");
        err = take_command(self, frame.body, why);
        take(self, frame.size);
        return err;
    }
    if (self->state != CONNECTION_OPEN)
        return fault_set(why, ERR_PROTOCOL, "a message before its READY");
    take_part(self, &frame);
    *whole = !(frame.flags & ZMTP_MORE);
    return ERR_OK;
}

enum err connection_next(struct connection *self, const struct connection_limits *limits,
                         struct connection_message *out, struct fault *why)
{
    enum err err = self->state == CONNECTION_GREETING ? take_greeting(self, why) : ERR_OK;
    for (bool whole = false; err == ERR_OK && !whole;) {
        err = take_frame(self, limits, &whole, why);
        if (whole)
            hand_over(self, out);
    }
    return err;
}

/* ---- sending ---- */

enum err connection_put(struct connection *self, struct bytes frame)
{
    if (self->state != CONNECTION_OPEN || self->deaf)
        return ERR_UNAVAILABLE;
    drop_sent(self, ZMTP_HEAD_MAX + frame.len);
    return zmtp_write_frame(&self->out, 0, frame);
}

enum err connection_flush(struct connection *self)
{
    while (self->sent < self->out.len) {
        ssize_t took = send(self->fd, self->out.data + self->sent, self->out.len - self->sent, MSG_NOSIGNAL);
        if (took < 0 && errno == EINTR)
            continue;
        if (took < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return ERR_END;
        if (took < 0) {
            self->deaf = true;
            break;
        }
        self->sent += (size_t)took;
    }
    buf_clear(&self->out);
    self->sent = 0;
    return self->deaf ? ERR_UNAVAILABLE : ERR_OK;
}

void connection_rest(struct connection *self)
{
    if (held(self) == 0) {
        self->start = 0;
        buf_clear(&self->in);
        if (self->in.room > KEPT_ROOM)
            buf_fini(&self->in);
    }
    if (self->out.len == 0 && self->out.room > KEPT_ROOM)
        buf_fini(&self->out);
}
