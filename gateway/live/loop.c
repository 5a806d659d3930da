#include "live/loop.h"

#include "clock.h"
#include "live/client_message.h"
#include "live/handshake.h"
#include "live/hub.h"
#include "live/listener.h"
#include "log.h"
#include "utf8.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define PROTOCOL "sheetwire"
#define WRITE_BYTES_MAX                                                                                                \
    32768                    /* of joined frames: libwebsockets keeps a buffer of the largest partial write a socket   \
                              */
#define WRITES_PER_TURN    8 /* of one socket, while the system takes everything */
#define RECEIVE_BYTES      8192
#define LETTERS_PER_TURN   32  /* then sockets get their turn */
#define HANDSHAKES_MAX     256 /* connections that are no WebSocket yet; beyond, nobody is accepted until one ends */
#define HANDSHAKE_SECONDS  10
#define CLOSE_SECONDS      3 /* what a client has to take the close frame and the rest before it is cut off */
#define PUMP_RETRY_MS      20
#define DRAIN_TICK_MS      50
#define DRAIN_BATCH_MIN    16
#define MESSAGE_FIRST_ROOM 1024

enum close_code { CLOSE_GOING_AWAY = 1001, CLOSE_NOT_UTF8 = 1007, CLOSE_TOO_BIG = 1009, CLOSE_TRY_LATER = 1013 };

struct loop;

/* One WebSocket; its memory is libwebsockets' per-session storage. */
struct socket {
    struct loop *loop;
    struct lws *wsi;
    struct session *session; /* NULL: not counted among the connections (refused, or closing) */
    struct outqueue queue;
    bool write_asked;   /* a writable callback is on its way */
    struct buf message; /* fragments of the message that is coming in */
    bool closing;       /* a close frame is queued; nothing else will be */
    struct socket *prev, *next;
    struct handshake wants;
};

struct loop {
    struct loop_ends *ends;
    struct mailbox *box;
    struct hub *hub;
    struct hub_output output;
    uv_loop_t uv;
    uv_poll_t letters, accepting;
    uv_timer_t pump, drain;
    struct lws_context *lws;
    struct lws_vhost *vhost;
    lws_retry_bo_t keepalive; /* read by libwebsockets for as long as it lives */
    int listener;
    size_t connections;     /* adopted and not yet destroyed, WebSockets or not */
    struct socket *sockets; /* established */
    bool opened;            /* the handles exist */
    bool draining;
    int64_t drain_deadline_ms;
    size_t drain_batch;
    unsigned char out[LWS_PRE + WRITE_BYTES_MAX];
};

/* ---- one socket ---- */

static void ask_to_write(struct socket *self)
{
    if (self->write_asked)
        return;
    self->write_asked = true;
    lws_callback_on_writable(self->wsi);
}

/* What is the next write: joined frames, or a single one that is larger than the room for them. */
static int write_next(struct socket *self)
{
    struct live_counters *counters = self->loop->ends->counters;
    unsigned char *out = self->loop->out + LWS_PRE;
    struct frame *large = NULL;
    size_t frames;
    size_t len = outqueue_take(&self->queue, out, WRITE_BYTES_MAX, &frames);
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
static bool write_queue(struct socket *self)
{
    bool blocked = lws_partial_buffered(self->wsi);
    for (int i = 0; i < WRITES_PER_TURN && !blocked && !outqueue_empty(&self->queue); i++) {
        if (write_next(self) < 0)
            return false;
        blocked = lws_partial_buffered(self->wsi);
    }
    outqueue_set_blocked(&self->queue, blocked);
    atomic_fetch_add(&self->loop->ends->counters->conflated, self->queue.conflated);
    self->queue.conflated = 0;
    if (blocked || !outqueue_empty(&self->queue))
        ask_to_write(self); /* also to learn that the rest has drained */
    return true;
}

/* What is queued still goes out, then the close frame; a client that does not answer it is cut off. libwebsockets could
 * send a close frame itself, but on libuv its packaged build drops the connection before that. */
static void queue_close(struct socket *self, enum close_code code, const char *reason)
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
static void start_closing(struct socket *self, enum close_code code, const char *reason)
{
    if (self->closing)
        return;
    hub_close(self->loop->hub, &self->session);
    queue_close(self, code, reason);
}

/* The hub is at work and must not be called: the session stays until the socket is gone, and gets nothing more. */
static void close_slow(struct socket *self)
{
    outqueue_drop(&self->queue);
    atomic_fetch_add(&self->loop->ends->counters->closed_slow, 1);
    queue_close(self, CLOSE_TRY_LATER, "slow reader: resume from your last seq");
}

/* Outside of its own callbacks a socket can be ended by its timeout alone. */
static void cut_off(struct socket *self)
{
    self->closing = true;
    outqueue_drop(&self->queue);
    lws_set_timeout(self->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

static void send_frame(void *ctx, void *socket, struct frame *frame, enum out_kind kind, struct bytes key)
{
    struct socket *self = socket;
    (void)ctx;
    if (self->closing)
        return;
    if (outqueue_put(&self->queue, frame, kind, key) != ERR_OK) {
        close_slow(self);
        return;
    }
    /* Much at once, a long replay say, must not look like a slow reader only because its socket had no turn yet. */
    if (self->queue.bytes < WRITE_BYTES_MAX || self->queue.blocked)
        ask_to_write(self);
    else if (!write_queue(self))
        cut_off(self);
}

static void send_own(struct socket *self, enum err made, struct frame **frame)
{
    if (made == ERR_OK)
        send_frame(NULL, self, *frame, OUT_DURABLE, (struct bytes){"", 0});
    else
        start_closing(self, CLOSE_TRY_LATER, "out of memory: try again later");
    frame_unref(frame);
}

static void send_error(struct socket *self, const char *message)
{
    struct frame *frame = NULL;
    send_own(self, frames_error(&frame, message, clock_wall_us()), &frame);
}

static void follow_chat(struct socket *self, const struct hub_want *want)
{
    hub_set_time(self->loop->hub, clock_wall_us());
    enum err err = self->session ? hub_subscribe(self->loop->hub, self->session, want)
                                 : hub_open(self->loop->hub, &self->session, self, want);
    if (err != ERR_OK)
        start_closing(self, CLOSE_TRY_LATER, "out of memory: try again later");
}

static void link_socket(struct socket *self)
{
    struct loop *loop = self->loop;
    self->next = loop->sockets;
    if (loop->sockets)
        loop->sockets->prev = self;
    loop->sockets = self;
    atomic_fetch_add(&loop->ends->counters->sockets, 1);
    atomic_fetch_add(&loop->ends->counters->sockets_total, 1);
}

static void unlink_socket(struct socket *self)
{
    struct loop *loop = self->loop;
    if (self->prev)
        self->prev->next = self->next;
    else
        loop->sockets = self->next;
    if (self->next)
        self->next->prev = self->prev;
    atomic_fetch_sub(&loop->ends->counters->sockets, 1);
}

static void on_established(struct loop *loop, struct lws *wsi, struct socket *self)
{
    const struct settings *settings = loop->ends->settings;
    self->loop = loop;
    self->wsi = wsi;
    self->message = BUF_INIT(settings->chat_workflows.websocket.message_bytes_max);
    outqueue_init(&self->queue, settings->chat_workflows.websocket.queue_bytes_max);
    link_socket(self);
    if (loop->draining) {
        start_closing(self, CLOSE_GOING_AWAY, "server stops: reconnect in a few seconds");
    } else if (hub_sessions(loop->hub) >= settings->chat_workflows.max_connections) {
        atomic_fetch_add(&loop->ends->counters->refused_full, 1);
        send_error(self, "Maximum connections reached");
        start_closing(self, CLOSE_TRY_LATER, "maximum connections reached: try again later");
    } else {
        follow_chat(self,
                    &(struct hub_want){self->wants.chat, self->wants.has_since, self->wants.since, self->wants.epoch});
    }
}

static void on_closed(struct socket *self)
{
    hub_close(self->loop->hub, &self->session);
    outqueue_fini(&self->queue);
    buf_fini(&self->message);
    unlink_socket(self);
}

static int on_writable(struct socket *self)
{
    self->write_asked = false;
    return write_queue(self) ? 0 : -1;
}

static bool is_utf8(const char *bytes, size_t len)
{
    size_t step = 1;
    for (size_t at = 0; at < len && step > 0; at += step)
        step = utf8_sequence(bytes + at, len - at);
    return len == 0 || step > 0;
}

static void on_message(struct socket *self)
{
    struct client_message message;
    struct frame *frame = NULL;
    atomic_fetch_add(&self->loop->ends->counters->messages_in, 1);
    if (!lws_frame_is_binary(self->wsi) && !is_utf8(self->message.data, self->message.len)) {
        start_closing(self, CLOSE_NOT_UTF8, "a text message must be UTF-8");
        return;
    }
    if (client_message_read(&message, self->message.data, self->message.len) != ERR_OK) {
        start_closing(self, CLOSE_TRY_LATER, "out of memory: try again later");
        return;
    }
    switch (message.kind) {
    case CLIENT_PING: send_own(self, frames_pong(&frame), &frame); break;
    case CLIENT_SUBSCRIBE:
        follow_chat(self, &(struct hub_want){message.chat, message.has_since, message.since, message.epoch});
        break;
    case CLIENT_OTHER: send_own(self, frames_ack(&frame, message.original, clock_wall_us()), &frame); break;
    case CLIENT_NOTHING: break;
    case CLIENT_WRONG: send_error(self, message.problem.text); break;
    }
}

static void on_receive(struct socket *self, const void *bytes, size_t len)
{
    if (self->closing)
        return;
    if (buf_add(&self->message, bytes, len) != ERR_OK) {
        start_closing(self, CLOSE_TOO_BIG, "message too big");
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

/* ---- handshake ---- */

#define HEADER_MAX 512

struct header_texts {
    char path[HEADER_MAX], host[HEADER_MAX], upgrade[64], connection[128], version[16], key[64], http[16], length[24];
    char since[64], epoch[EPOCH_MAX + 16];
};

/* A header that does not fit is no valid one: cut to nothing, it fails its check. */
static void copy_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    if (lws_hdr_copy(wsi, out, (int)size, token) < 0)
        out[0] = '\0';
}

static void copy_argument(struct lws *wsi, const char *name, char *out, size_t size)
{
    char text[HEADER_MAX];
    const char *value = lws_get_urlarg_by_name(wsi, name, text, sizeof text);
    snprintf(out, size, "%s", value ? value : "");
}

static void read_headers(struct lws *wsi, struct header_texts *out)
{
    copy_header(wsi, WSI_TOKEN_GET_URI, out->path, sizeof out->path);
    copy_header(wsi, WSI_TOKEN_HOST, out->host, sizeof out->host);
    copy_header(wsi, WSI_TOKEN_UPGRADE, out->upgrade, sizeof out->upgrade);
    copy_header(wsi, WSI_TOKEN_CONNECTION, out->connection, sizeof out->connection);
    copy_header(wsi, WSI_TOKEN_VERSION, out->version, sizeof out->version);
    copy_header(wsi, WSI_TOKEN_KEY, out->key, sizeof out->key);
    copy_header(wsi, WSI_TOKEN_HTTP, out->http, sizeof out->http);
    copy_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, out->length, sizeof out->length);
    copy_argument(wsi, "since=", out->since, sizeof out->since);
    copy_argument(wsi, "epoch=", out->epoch, sizeof out->epoch);
}

static void check_handshake(struct lws *wsi, struct handshake *out)
{
    struct header_texts texts;
    read_headers(wsi, &texts);
    bool has_length = texts.length[0] && strcmp(texts.length, "0") != 0;
    handshake_check(out, &(struct handshake_request){
                             .is_get = lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) > 0,
                             .is_http_1_1 = strcmp(texts.http, "HTTP/1.1") == 0,
                             .has_body = has_length || lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0,
                             .path = texts.path,
                             .host = texts.host,
                             .upgrade = texts.upgrade,
                             .connection = texts.connection,
                             .version = texts.version,
                             .key = texts.key,
                             .has_protocol = lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) > 0,
                             .since = texts.since,
                             .epoch = texts.epoch,
                         });
}

/* 0: go on. -1: refused, the answer is written and the connection ends. */
static int judge_handshake(struct loop *loop, struct lws *wsi, struct handshake *out)
{
    check_handshake(wsi, out);
    if (out->status == 101)
        return 0;
    char *answer = (char *)loop->out + LWS_PRE;
    size_t len = handshake_refusal(out, answer, WRITE_BYTES_MAX);
    atomic_fetch_add(&loop->ends->counters->refused, 1);
    lws_write(wsi, (unsigned char *)answer, len, LWS_WRITE_HTTP_HEADERS);
    return -1;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    struct lws_context *context = lws_get_context(wsi);
    struct loop *loop = context ? lws_context_user(context) : NULL;
    struct handshake judged;
    switch ((int)reason) {
    case LWS_CALLBACK_HTTP:
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return judge_handshake(loop, wsi, &judged);
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return judge_handshake(loop, wsi, &((struct socket *)user)->wants);
    case LWS_CALLBACK_ESTABLISHED: on_established(loop, wsi, user); return 0;
    case LWS_CALLBACK_RECEIVE: on_receive(user, in, len); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return on_writable(user);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return ((struct socket *)user)->closing ? -1 : 0; /* 0: echo it */
    case LWS_CALLBACK_CLOSED: on_closed(user); return 0;
    case LWS_CALLBACK_WSI_CREATE: loop->connections++; return 0;
    case LWS_CALLBACK_WSI_DESTROY: loop->connections--; return 0;
    }
    return 0;
}

/* ---- the world outside ---- */

static enum err attach(void *ctx, const struct uplink_attach *attach)
{
    struct loop *self = ctx;
    return uplink_attach(self->ends->uplink, attach);
}

static enum err detach(void *ctx, uint64_t link, uint64_t id)
{
    struct loop *self = ctx;
    return uplink_detach(self->ends->uplink, link, id);
}

static void on_pump(uv_timer_t *timer)
{
    struct loop *self = timer->data;
    if (!hub_pump(self->hub))
        uv_timer_stop(timer);
}

static void take_batch(struct loop *self, const struct mail *letter)
{
    atomic_fetch_add(&self->ends->counters->batches_in, 1);
    if (hub_batch(self->hub, letter->number, letter->body, letter->len) != ERR_OK)
        uplink_feed_broken(self->ends->uplink, letter->number);
}

/* The link is looked at with every letter: a batch of a link is put into the box after its link was announced. */
static void take_letter(struct loop *self, struct mail *letter)
{
    hub_link(self->hub, atomic_load(&self->ends->link));
    switch (letter->kind) {
    case MAIL_STOP:
        self->draining = true;
        self->drain_deadline_ms = clock_monotonic_ms() + atomic_load(&self->ends->drain_ms);
        uv_timer_start(&self->drain, self->drain.timer_cb, 0, DRAIN_TICK_MS);
        break;
    case LOOP_BATCH: take_batch(self, letter); break;
    case LOOP_LINK: break;
    }
    mail_fini(letter);
}

static void on_letters(uv_poll_t *poll, int status, int events)
{
    struct loop *self = poll->data;
    struct mail letter;
    (void)status;
    (void)events;
    hub_set_time(self->hub, clock_wall_us());
    for (int i = 0; i < LETTERS_PER_TURN && mailbox_take(self->box, &letter); i++)
        take_letter(self, &letter);
    if (atomic_exchange(&self->ends->starved, false))
        uplink_feed_drained(self->ends->uplink);
    if (hub_pump(self->hub) && !uv_is_active((uv_handle_t *)&self->pump))
        uv_timer_start(&self->pump, on_pump, PUMP_RETRY_MS, PUMP_RETRY_MS);
}

static size_t connections_max(const struct loop *self)
{
    return (size_t)self->ends->settings->chat_workflows.max_connections + HANDSHAKES_MAX;
}

/* Level-triggered: who is not accepted now waits in the kernel's backlog. */
static void on_accepting(uv_poll_t *poll, int status, int events)
{
    struct loop *self = poll->data;
    (void)status;
    (void)events;
    while (self->connections < connections_max(self)) {
        int fd = listener_accept(self->listener);
        if (fd < 0)
            return;
        lws_adopt_socket_vhost(self->vhost, fd);
    }
}

/* ---- the end ---- */

static void stop_accepting(struct loop *self)
{
    if (self->listener < 0)
        return;
    uv_poll_stop(&self->accepting);
    close(self->listener);
    self->listener = -1;
}

static size_t open_sockets(const struct loop *self)
{
    size_t count = 0;
    for (const struct socket *socket = self->sockets; socket; socket = socket->next)
        count += !socket->closing;
    return count;
}

/* In half of the time everybody has been told, so that clients do not come back to the next process all at once. */
static void on_drain(uv_timer_t *timer)
{
    struct loop *self = timer->data;
    int64_t left = self->drain_deadline_ms - clock_monotonic_ms();
    if (self->drain_batch == 0) {
        stop_accepting(self);
        size_t ticks = left > 2 * DRAIN_TICK_MS ? (size_t)left / DRAIN_TICK_MS / 2 : 1;
        self->drain_batch = open_sockets(self) / ticks + DRAIN_BATCH_MIN;
    }
    size_t batch = self->drain_batch;
    for (struct socket *socket = self->sockets; socket && batch > 0; socket = socket->next) {
        if (socket->closing)
            continue;
        start_closing(socket, CLOSE_GOING_AWAY,
                      "server stops: reconnect in a few seconds and resume from your last seq");
        batch--;
    }
    if (!self->sockets || left <= 0)
        uv_stop(&self->uv);
}

static void open_handles(struct loop *self)
{
    uv_poll_init(&self->uv, &self->letters, mailbox_fd(self->box));
    uv_poll_init(&self->uv, &self->accepting, self->listener);
    uv_timer_init(&self->uv, &self->pump);
    uv_timer_init(&self->uv, &self->drain);
    self->drain.timer_cb = on_drain;
    self->letters.data = self->accepting.data = self->pump.data = self->drain.data = self;
    self->opened = true;
    uv_poll_start(&self->letters, UV_READABLE, on_letters);
    uv_poll_start(&self->accepting, UV_READABLE, on_accepting);
}

static void log_library(int level, const char *line)
{
    (void)level;
    char text[300];
    snprintf(text, sizeof text, "%.*s", (int)strcspn(line, "\n"), line);
    log_error("libwebsockets", "said", text, NULL);
}

static enum err open_websockets(struct loop *self, struct fault *why)
{
    static const struct lws_protocols protocols[] = {
        {PROTOCOL, callback, sizeof(struct socket), RECEIVE_BYTES, 0, NULL, 0},
        {NULL, NULL, 0, 0, 0, NULL, 0},
    };
    const struct settings *settings = self->ends->settings;
    uint32_t ping = settings->chat_workflows.websocket.ping_interval;
    self->keepalive.secs_since_valid_ping = (uint16_t)ping;
    self->keepalive.secs_since_valid_hangup = (uint16_t)(ping + settings->chat_workflows.websocket.ping_timeout);
    void *loops[] = {&self->uv};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .protocols = protocols,
        .extensions = NULL, /* permessage-deflate of this version ends the process on ordinary messages */
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
        .options =
            LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN,
        .user = self,
        .foreign_loops = loops,
        .timeout_secs = HANDSHAKE_SECONDS,
        .keepalive_timeout = HANDSHAKE_SECONDS,
        .max_http_header_pool = HANDSHAKES_MAX,
        .retry_and_idle_policy = &self->keepalive,
    };
    lws_set_log_level(LLL_ERR, log_library);
    self->lws = lws_create_context(&info);
    self->vhost = self->lws ? lws_create_vhost(self->lws, &info) : NULL;
    lws_set_log_level(0, NULL); /* what it says from here on is what clients do wrong, as often as they like */
    if (self->vhost)
        return ERR_OK;
    return fault_set(why, ERR_UNAVAILABLE, "libwebsockets does not start (is its libuv plug-in installed?)");
}

static void log_listening(const struct loop *self)
{
    const struct settings *settings = self->ends->settings;
    char sentence[300];
    const char *host = settings->chat_workflows.websocket.host;
    bool v6 = strchr(host, ':') != NULL;
    snprintf(sentence, sizeof sentence, "WebSocket listening on ws://%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "",
             atomic_load(&self->ends->port));
    log_info(sentence, "max_connections", LOG_NUMBER(settings->chat_workflows.max_connections), NULL);
}

static enum err open_loop(struct loop *self, struct fault *why)
{
    const struct settings *settings = self->ends->settings;
    uint16_t port;
    self->output = (struct hub_output){self, send_frame, attach, detach};
    enum err err = listener_open(settings->chat_workflows.websocket.host, settings->chat_workflows.websocket.port,
                                 &self->listener, &port, why);
    if (err != ERR_OK)
        return err;
    atomic_store(&self->ends->port, port);
    err = hub_new(&self->hub, &self->output);
    if (err != ERR_OK)
        return fault_set(why, err, "live: %s", err_name(err));
    open_handles(self);
    return open_websockets(self, why);
}

static void close_handle(void *handle)
{
    uv_close(handle, NULL);
}

/* libwebsockets closes what is its own in turns of the loop, which ends when no handle is left. */
static void close_loop(struct loop *self)
{
    stop_accepting(self);
    if (self->lws)
        lws_context_destroy(self->lws);
    if (self->opened) {
        close_handle(&self->letters);
        close_handle(&self->accepting);
        close_handle(&self->pump);
        close_handle(&self->drain);
    }
    uv_run(&self->uv, UV_RUN_DEFAULT);
    if (self->lws)
        lws_context_destroy(self->lws); /* again: what had to wait for its handles */
    if (uv_loop_close(&self->uv) != 0)
        log_warning("the WebSocket loop ends with open handles", NULL);
    hub_destroy(&self->hub);
}

void loop_body(struct actor *actor, struct mailbox *box, void *arg)
{
    struct fault why;
    struct loop *self = calloc(1, sizeof *self);
    if (!self) {
        actor_ready(actor, ERR_MEMORY, NULL);
        return;
    }
    self->ends = arg;
    self->box = box;
    self->listener = -1;
    uv_loop_init(&self->uv);
    enum err err = open_loop(self, &why);
    if (err == ERR_OK)
        log_listening(self);
    actor_ready(actor, err, &why);
    if (err == ERR_OK)
        uv_run(&self->uv, UV_RUN_DEFAULT);
    close_loop(self);
    free(self);
}
