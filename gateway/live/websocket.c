#include "live/websocket.h"

#include "clock.h"
#include "live/client_message.h"
#include "utf8.h"

#include <stdio.h>

#define WRITES_PER_TURN    8 /* of one socket, while the system takes everything */
#define CLOSE_SECONDS      3 /* what a client has to take the close frame and what is before it */
#define MESSAGE_FIRST_ROOM 1024

static void ask_to_write(struct websocket *self)
{
    if (self->write_asked)
        return;
    self->write_asked = true;
    lws_callback_on_writable(self->wsi);
}

/* What is the next write: joined frames, or a single one that is larger than the room for them. */
static int write_next(struct websocket *self)
{
    struct live_counters *counters = self->all->counters;
    unsigned char *out = self->all->out + LWS_PRE;
    struct frame *large = NULL;
    size_t frames;
    size_t len = outqueue_take(&self->queue, out, WEBSOCKET_WRITE_MAX, &frames);
    if (len == 0) {
        large = outqueue_pop(&self->queue);
        len = large->len;
        frames = 1;
    }
    int written = lws_write(self->wsi, large ? large->bytes : out, len, LWS_WRITE_RAW);
    frame_unref(&large);
    atomic_fetch_add(&counters->frames_out, frames);
    atomic_fetch_add(&counters->bytes_out, len);
    return written;
}

/* Writes until nothing waits or the system takes no more. false: the connection is broken. */
static bool write_queue(struct websocket *self)
{
    bool blocked = lws_partial_buffered(self->wsi);
    for (int i = 0; i < WRITES_PER_TURN && !blocked && !outqueue_empty(&self->queue); i++) {
        if (write_next(self) < 0)
            return false;
        blocked = lws_partial_buffered(self->wsi);
    }
    outqueue_set_blocked(&self->queue, blocked);
    atomic_fetch_add(&self->all->counters->conflated, self->queue.conflated);
    self->queue.conflated = 0;
    if (blocked || !outqueue_empty(&self->queue))
        ask_to_write(self); /* also to learn that the rest has drained */
    return true;
}

/* What is queued still goes out, then the close frame; a client that does not answer it is cut off. libwebsockets could
 * send a close frame itself, but on libuv its packaged build drops the connection before that. */
static void queue_close(struct websocket *self, enum close_code code, const char *reason)
{
    struct frame *frame;
    self->closing = true;
    if (frames_close(&frame, (uint16_t)code, reason) == ERR_OK) {
        enum err err = outqueue_put_last(&self->queue, frame);
        (void)err; /* no memory: the client is cut off without a word */
        frame_unref(&frame);
    }
    lws_set_timeout(self->wsi, PENDING_TIMEOUT_CLOSE_SEND, CLOSE_SECONDS);
    ask_to_write(self);
}

/* The connection's place is free from now on. */
void websocket_close(struct websocket *self, enum close_code code, const char *reason)
{
    if (self->closing)
        return;
    hub_close(self->all->hub, &self->session);
    queue_close(self, code, reason);
}

/* The hub is at work and must not be called: the session stays until the socket is gone, and gets nothing more. */
static void close_slow(struct websocket *self)
{
    outqueue_drop(&self->queue);
    atomic_fetch_add(&self->all->counters->closed_slow, 1);
    queue_close(self, CLOSE_TRY_LATER, "slow reader: resume from your last seq");
}

/* Outside of its own callbacks a socket can be ended by its timeout alone. */
static void cut_off(struct websocket *self)
{
    self->closing = true;
    outqueue_drop(&self->queue);
    lws_set_timeout(self->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

void websocket_send(void *ctx, void *socket, struct frame *frame, enum out_kind kind, struct bytes key)
{
    struct websocket *self = socket;
    (void)ctx;
    if (self->closing)
        return;
    if (outqueue_put(&self->queue, frame, kind, key) != ERR_OK) {
        close_slow(self);
        return;
    }
    /* Much at once, a long replay say, must not look like a slow reader only because its socket had no turn yet. */
    if (self->queue.bytes < WEBSOCKET_WRITE_MAX || self->queue.blocked)
        ask_to_write(self);
    else if (!write_queue(self))
        cut_off(self);
}

static void send_own(struct websocket *self, enum err made, struct frame **frame)
{
    if (made == ERR_OK)
        websocket_send(NULL, self, *frame, OUT_DURABLE, (struct bytes){"", 0});
    else
        websocket_close(self, CLOSE_TRY_LATER, "out of memory: try again later");
    frame_unref(frame);
}

static void send_error(struct websocket *self, const char *message)
{
    struct frame *frame = NULL;
    send_own(self, frames_error(&frame, message, clock_wall_us()), &frame);
}

static void follow_chat(struct websocket *self, const struct hub_want *want)
{
    hub_set_time(self->all->hub, clock_wall_us());
    enum err err = self->session ? hub_subscribe(self->all->hub, self->session, want)
                                 : hub_open(self->all->hub, &self->session, self, want);
    if (err != ERR_OK)
        websocket_close(self, CLOSE_TRY_LATER, "out of memory: try again later");
}

void websocket_refuse(void *socket, const char *problem)
{
    send_error(socket, problem);
}

static void add_chat(struct websocket *self, const struct hub_want *want)
{
    hub_set_time(self->all->hub, clock_wall_us());
    enum err err = hub_add(self->all->hub, self->session, want);
    char text[80];
    snprintf(text, sizeof text, "A socket may follow %d chats at most", HUB_CHATS_MAX);
    if (err == ERR_FULL)
        send_error(self, text);
    else if (err != ERR_OK)
        websocket_close(self, CLOSE_TRY_LATER, "out of memory: try again later");
}

static void leave_chat(struct websocket *self, const char *chat)
{
    struct frame *frame = NULL;
    hub_unsubscribe(self->all->hub, self->session, chat);
    send_own(self, frames_unsubscribed(&frame, chat, clock_wall_us()), &frame);
}

/* Who does not follow a chat would not see the answer, which is the chat's event. */
static void cancel_job(struct websocket *self, const char *chat, const char *job)
{
    if (!hub_follows(self->session, chat))
        send_error(self, "Job not found in a chat this socket follows");
    else if (cancels_ask(self->all->cancels, self, chat, job) != ERR_OK)
        send_error(self, "Too many requests wait for the broker: try again later");
}

static void link_socket(struct websocket *self)
{
    struct websockets *all = self->all;
    self->next = all->first;
    if (all->first)
        all->first->prev = self;
    all->first = self;
    atomic_fetch_add(&all->counters->sockets, 1);
    atomic_fetch_add(&all->counters->sockets_total, 1);
}

static void unlink_socket(struct websocket *self)
{
    struct websockets *all = self->all;
    if (self->prev)
        self->prev->next = self->next;
    else
        all->first = self->next;
    if (self->next)
        self->next->prev = self->prev;
    atomic_fetch_sub(&all->counters->sockets, 1);
}

void websocket_established(struct websocket *self, struct websockets *all, struct lws *wsi)
{
    const struct settings *settings = all->settings;
    self->all = all;
    self->wsi = wsi;
    self->message = BUF_INIT(settings->chat_workflows.websocket.message_bytes_max);
    outqueue_init(&self->queue, settings->chat_workflows.websocket.queue_bytes_max);
    link_socket(self);
    if (all->draining) {
        websocket_close(self, CLOSE_GOING_AWAY, "server stops: reconnect in a few seconds");
    } else if (hub_sessions(all->hub) >= settings->chat_workflows.max_connections) {
        atomic_fetch_add(&all->counters->refused_full, 1);
        send_error(self, "Maximum connections reached");
        websocket_close(self, CLOSE_TRY_LATER, "maximum connections reached: try again later");
    } else {
        follow_chat(self,
                    &(struct hub_want){self->wants.chat, self->wants.has_since, self->wants.since, self->wants.epoch});
    }
}

void websocket_closed(struct websocket *self)
{
    cancels_drop(self->all->cancels, self);
    hub_close(self->all->hub, &self->session);
    outqueue_fini(&self->queue);
    buf_fini(&self->message);
    unlink_socket(self);
}

bool websocket_writable(struct websocket *self)
{
    self->write_asked = false;
    return write_queue(self);
}

static bool is_utf8(const char *bytes, size_t len)
{
    size_t step = 1;
    for (size_t at = 0; at < len && step > 0; at += step)
        step = utf8_sequence(bytes + at, len - at);
    return len == 0 || step > 0;
}

static void on_message(struct websocket *self)
{
    struct client_message message;
    struct frame *frame = NULL;
    atomic_fetch_add(&self->all->counters->messages_in, 1);
    if (!lws_frame_is_binary(self->wsi) && !is_utf8(self->message.data, self->message.len)) {
        websocket_close(self, CLOSE_NOT_UTF8, "a text message must be UTF-8");
        return;
    }
    if (client_message_read(&message, self->message.data, self->message.len) != ERR_OK) {
        websocket_close(self, CLOSE_TRY_LATER, "out of memory: try again later");
        return;
    }
    switch (message.kind) {
    case CLIENT_PING: send_own(self, frames_pong(&frame), &frame); break;
    case CLIENT_SUBSCRIBE:
        (message.add ? add_chat : follow_chat)(
            self, &(struct hub_want){message.chat, message.has_since, message.since, message.epoch});
        break;
    case CLIENT_UNSUBSCRIBE: leave_chat(self, message.chat); break;
    case CLIENT_CANCEL: cancel_job(self, message.chat, message.job); break;
    case CLIENT_OTHER: send_own(self, frames_ack(&frame, message.original, clock_wall_us()), &frame); break;
    case CLIENT_NOTHING: break;
    case CLIENT_WRONG: send_error(self, message.problem.text); break;
    }
}

void websocket_receive(struct websocket *self, const void *bytes, size_t len)
{
    if (self->closing)
        return;
    if (buf_add(&self->message, bytes, len) != ERR_OK) {
        websocket_close(self, CLOSE_TOO_BIG, "message too big");
        return;
    }
    if (!lws_is_final_fragment(self->wsi) || lws_remaining_packet_payload(self->wsi) > 0)
        return;
    on_message(self);
    if (self->message.room > MESSAGE_FIRST_ROOM)
        buf_fini(&self->message); /* one large message must not hold its memory for the socket's life */
    else
        buf_clear(&self->message);
}
