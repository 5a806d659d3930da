#include "live/loop.h"

#include "clock.h"
#include "live/listener.h"
#include "live/websocket.h"
#include "log.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#define PROTOCOL          "sheetwire"
#define RECEIVE_BYTES     8192
#define LETTERS_PER_TURN  32  /* then sockets get their turn */
#define HANDSHAKES_MAX    256 /* connections that are no WebSocket yet; beyond, nobody is accepted until one ends */
#define HANDSHAKE_SECONDS 10
#define PUMP_RETRY_MS     20
#define DRAIN_TICK_MS     50
#define DRAIN_BATCH_MIN   16

struct loop {
    struct loop_ends *ends;
    struct mailbox *box;
    struct websockets websockets;
    struct hub_output output;
    uv_loop_t uv;
    uv_poll_t letters, accepting;
    uv_timer_t pump, drain;
    uv_async_t answered; /* something of websockets.cancels has its answer */
    struct lws_context *lws;
    struct lws_vhost *vhost;
    lws_retry_bo_t keepalive; /* read by libwebsockets for as long as it lives */
    int listener;
    size_t connections; /* adopted and not yet destroyed, WebSockets or not */
    bool opened;        /* the handles exist */
    int64_t drain_deadline_ms;
    size_t drain_batch;
};

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
    char *answer = (char *)loop->websockets.out + LWS_PRE;
    size_t len = handshake_refusal(out, answer, WEBSOCKET_WRITE_MAX);
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
    case LWS_CALLBACK_FILTER_PROTOCOL_CONNECTION: return judge_handshake(loop, wsi, &((struct websocket *)user)->wants);
    case LWS_CALLBACK_ESTABLISHED: websocket_established(user, &loop->websockets, wsi); return 0;
    case LWS_CALLBACK_RECEIVE: websocket_receive(user, in, len); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return websocket_writable(user) ? 0 : -1;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: return ((struct websocket *)user)->closing ? -1 : 0; /* 0: echo it */
    case LWS_CALLBACK_CLOSED: websocket_closed(user); return 0;
    case LWS_CALLBACK_WSI_CREATE: loop->connections++; return 0;
    case LWS_CALLBACK_WSI_DESTROY: loop->connections--; return 0;
    }
    return 0;
}

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
    if (!hub_pump(self->websockets.hub))
        uv_timer_stop(timer);
}

static void take_batch(struct loop *self, const struct mail *letter)
{
    atomic_fetch_add(&self->ends->counters->batches_in, 1);
    if (hub_batch(self->websockets.hub, letter->number, letter->body, letter->len) != ERR_OK)
        uplink_feed_broken(self->ends->uplink, letter->number);
}

/* The link is looked at with every letter: a batch of a link is put into the box after its link was announced. */
static void take_letter(struct loop *self, struct mail *letter)
{
    hub_link(self->websockets.hub, atomic_load(&self->ends->link));
    switch (letter->kind) {
    case MAIL_STOP:
        self->websockets.draining = true;
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
    hub_set_time(self->websockets.hub, clock_wall_us());
    for (int i = 0; i < LETTERS_PER_TURN && mailbox_take(self->box, &letter); i++)
        take_letter(self, &letter);
    if (atomic_exchange(&self->ends->starved, false))
        uplink_feed_drained(self->ends->uplink);
    if (hub_pump(self->websockets.hub) && !uv_is_active((uv_handle_t *)&self->pump))
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
    for (const struct websocket *socket = self->websockets.first; socket; socket = socket->next)
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
    for (struct websocket *socket = self->websockets.first; socket && batch > 0; socket = socket->next) {
        if (socket->closing)
            continue;
        websocket_close(socket, CLOSE_GOING_AWAY,
                        "server stops: reconnect in a few seconds and resume from your last seq");
        batch--;
    }
    if (!self->websockets.first || left <= 0)
        uv_stop(&self->uv);
}

static void on_answered(uv_async_t *async)
{
    struct loop *self = async->data;
    cancels_take(self->websockets.cancels, websocket_refuse);
}

/* In the uplink's thread. */
static void wake_answered(void *ctx)
{
    struct loop *self = ctx;
    uv_async_send(&self->answered);
}

static void open_handles(struct loop *self)
{
    uv_poll_init(&self->uv, &self->letters, mailbox_fd(self->box));
    uv_poll_init(&self->uv, &self->accepting, self->listener);
    uv_timer_init(&self->uv, &self->pump);
    uv_timer_init(&self->uv, &self->drain);
    uv_async_init(&self->uv, &self->answered, on_answered);
    self->drain.timer_cb = on_drain;
    self->letters.data = self->accepting.data = self->pump.data = self->drain.data = self->answered.data = self;
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
        {PROTOCOL, callback, sizeof(struct websocket), RECEIVE_BYTES, 0, NULL, 0},
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
    self->output = (struct hub_output){self, websocket_send, attach, detach};
    enum err err = listener_open(settings->chat_workflows.websocket.host, settings->chat_workflows.websocket.port,
                                 &self->listener, &port, why);
    if (err != ERR_OK)
        return err;
    atomic_store(&self->ends->port, port);
    err = hub_new(&self->websockets.hub, &self->output);
    if (err == ERR_OK)
        err = cancels_new(&self->websockets.cancels, self->ends->uplink, wake_answered, self);
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
    cancels_destroy(&self->websockets.cancels);
    if (self->opened) {
        close_handle(&self->letters);
        close_handle(&self->accepting);
        close_handle(&self->pump);
        close_handle(&self->drain);
        close_handle(&self->answered);
    }
    uv_run(&self->uv, UV_RUN_DEFAULT);
    if (self->lws)
        lws_context_destroy(self->lws); /* again: what had to wait for its handles */
    if (uv_loop_close(&self->uv) != 0)
        log_warning("the WebSocket loop ends with open handles", NULL);
    hub_destroy(&self->websockets.hub);
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
    self->websockets.settings = self->ends->settings;
    self->websockets.counters = self->ends->counters;
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
