#include "ws_client.h"

#include "buf.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#define PING_AFTER_S    20
#define GIVE_UP_AFTER_S 30

struct ws_client {
    struct lws_context *context;
    struct ws_client_handler handler;
    struct lws *wsi;    /* the connection in use or being made */
    struct buf message; /* of fragments read so far */
    lws_sorted_usec_list_t alarm;
};

static void report_closed(struct ws_client *self, const char *reason)
{
    self->wsi = NULL;
    buf_clear(&self->message);
    self->handler.closed(self->handler.arg, reason);
}

static int take_fragment(struct ws_client *self, struct lws *wsi, const char *bytes, size_t len)
{
    if (buf_add(&self->message, bytes, len) != ERR_OK)
        return -1;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0)
        return 0;
    const char *text = buf_text(&self->message);
    if (!lws_frame_is_binary(wsi))
        self->handler.message(self->handler.arg, text, self->message.len);
    buf_clear(&self->message);
    return self->wsi == wsi ? 0 : -1; /* the handler may have dropped the connection */
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
    (void)user;
    struct lws_context *context = lws_get_context(wsi);
    struct ws_client *self = context ? lws_context_user(context) : NULL;
    if (!self)
        return 0;
    if (self->wsi != wsi)
        return reason == LWS_CALLBACK_CLIENT_RECEIVE ? -1 : 0; /* a connection that was dropped */
    /* lws has a hundred reasons; these are the ones a client of text messages meets. */
    if (reason == LWS_CALLBACK_CLIENT_ESTABLISHED)
        self->handler.opened(self->handler.arg);
    else if (reason == LWS_CALLBACK_CLIENT_RECEIVE)
        return take_fragment(self, wsi, in, len);
    else if (reason == LWS_CALLBACK_CLIENT_CONNECTION_ERROR)
        report_closed(self, in ? in : "cannot connect");
    else if (reason == LWS_CALLBACK_CLIENT_CLOSED)
        report_closed(self, "the connection was closed");
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "sheetwire", .callback = on_event, .rx_buffer_size = 16384},
    {.name = NULL},
};

/* lws_service() ignores the time it is given; an alarm of its own makes it come back. */
static void ring(lws_sorted_usec_list_t *alarm)
{
    (void)alarm;
}

enum err ws_client_new(struct ws_client **out, const struct ws_client_handler *handler)
{
    struct ws_client *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    self->handler = *handler;
    self->message = BUF_INIT(WS_CLIENT_MESSAGE_MAX);
    static const lws_retry_bo_t policy = {.secs_since_valid_ping = PING_AFTER_S,
                                          .secs_since_valid_hangup = GIVE_UP_AFTER_S};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_VALIDATE_UTF8,
        .user = self,
        .retry_and_idle_policy = &policy,
    };
    lws_set_log_level(0, NULL);
    self->context = lws_create_context(&info);
    if (self->context)
        return ERR_OK;
    ws_client_destroy(out);
    return ERR_MEMORY;
}

void ws_client_destroy(struct ws_client **self_p)
{
    struct ws_client *self = *self_p;
    if (!self)
        return;
    ws_client_drop(self);
    if (self->context) {
        lws_sul_cancel(&self->alarm);
        lws_context_destroy(self->context);
    }
    buf_fini(&self->message);
    free(self);
    *self_p = NULL;
}

void ws_client_drop(struct ws_client *self)
{
    struct lws *wsi = self->wsi;
    self->wsi = NULL;
    buf_clear(&self->message);
    if (wsi)
        lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
}

enum err ws_client_connect(struct ws_client *self, const char *url, struct fault *why)
{
    char parts[WS_CLIENT_URL_MAX], path[WS_CLIENT_URL_MAX + 1], host[WS_CLIENT_URL_MAX + 16];
    const char *scheme, *address, *rest;
    int port;
    ws_client_drop(self);
    if ((size_t)snprintf(parts, sizeof parts, "%s", url) >= sizeof parts ||
        lws_parse_uri(parts, &scheme, &address, &port, &rest) != 0)
        return fault_set(why, ERR_INVALID, "not a WebSocket address: %.200s", url);
    bool secure = strcmp(scheme, "wss") == 0;
    if (!secure && strcmp(scheme, "ws") != 0)
        return fault_set(why, ERR_INVALID, "not a WebSocket address (ws:// or wss://): %.200s", url);
    snprintf(path, sizeof path, "/%s", rest);
    snprintf(host, sizeof host, "%s:%d", address, port);
    struct lws_client_connect_info info = {
        .context = self->context,
        .address = address,
        .port = port,
        .path = path,
        .host = host,
        .origin = NULL,
        .ssl_connection = secure ? LCCSCF_USE_SSL : 0,
        .local_protocol_name = protocols[0].name,
        .pwsi = &self->wsi,
    };
    if (!lws_client_connect_via_info(&info)) {
        self->wsi = NULL; /* the handler has heard of it where lws got as far as having a connection */
        return fault_set(why, ERR_UNAVAILABLE, "cannot connect to %.200s", url);
    }
    return ERR_OK;
}

void ws_client_run(struct ws_client *self, int ms)
{
    lws_sul_schedule(self->context, 0, &self->alarm, ring, (lws_usec_t)(ms > 0 ? ms : 1) * LWS_US_PER_MS);
    lws_service(self->context, 0);
    lws_sul_cancel(&self->alarm);
}
