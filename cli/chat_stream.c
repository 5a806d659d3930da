#include "chat_stream.h"

#include "clock.h"
#include "ws_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_DEADLINE_MS 10000 /* from the first byte to `connected` */

struct chat_stream {
    struct ws_client *socket;
    struct chat_stream_handler handler;
    struct resume resume;
    enum chat_stream_state state;
    char base[WS_CLIENT_URL_MAX]; /* ws://host:port/chat/<id> */
    int64_t next_ms;              /* CONNECTING: give up; WAITING: try again */
    int pause_ms;
};

static void lost(struct chat_stream *self, const char *why)
{
    if (self->state == STREAM_WAITING)
        return;
    resume_lost(&self->resume);
    self->state = STREAM_WAITING;
    self->next_ms = clock_monotonic_ms() + self->pause_ms;
    self->pause_ms = self->pause_ms * 2 > CHAT_STREAM_PAUSE_MAX_MS ? CHAT_STREAM_PAUSE_MAX_MS : self->pause_ms * 2;
    self->handler.lost(self->handler.arg, why);
}

static void drop(struct chat_stream *self, const char *why)
{
    ws_client_drop(self->socket);
    lost(self, why);
}

static void on_connected(struct chat_stream *self, const json_t *frame)
{
    const char *how = json_string_value(json_object_get(frame, "resume"));
    const char *epoch = json_string_value(json_object_get(frame, "epoch"));
    json_int_t seq = json_integer_value(json_object_get(frame, "seq"));
    self->state = STREAM_LIVE;
    self->pause_ms = CHAT_STREAM_PAUSE_MS;
    if (resume_connected(&self->resume, how, epoch, seq > 0 ? (uint64_t)seq : 0) == RESUME_REBUILD)
        self->handler.rebuild(self->handler.arg, frame);
}

static void on_event(struct chat_stream *self, const json_t *event)
{
    const json_t *seq = json_object_get(event, "seq");
    const char *epoch = json_string_value(json_object_get(event, "epoch"));
    bool numbered = json_is_integer(seq) && json_integer_value(seq) > 0;
    switch (resume_event(&self->resume, numbered, (uint64_t)json_integer_value(seq), epoch)) {
    case RESUME_APPLY: self->handler.event(self->handler.arg, event); break;
    case RESUME_IGNORE: break;
    case RESUME_AGAIN: drop(self, "an event is missing"); break;
    }
}

static void on_message(void *arg, const char *text, size_t len)
{
    struct chat_stream *self = arg;
    json_t *frame = json_loadb(text, len, 0, NULL);
    const char *type = json_string_value(json_object_get(frame, "type"));
    if (!type)
        drop(self, "the server sent something that is not an event");
    else if (strcmp(type, "connected") == 0)
        on_connected(self, frame);
    else if (strcmp(type, "error") == 0 && !self->resume.attached)
        drop(self, json_string_value(json_object_get(frame, "message"))); /* e.g. no free connection */
    else if (strcmp(type, "pong") != 0 && strcmp(type, "ack") != 0)
        on_event(self, frame);
    json_decref(frame);
}

static void on_opened(void *arg)
{
    (void)arg; /* `connected` is what counts */
}

static void on_closed(void *arg, const char *reason)
{
    lost(arg, reason);
}

static void connect_now(struct chat_stream *self)
{
    char url[WS_CLIENT_URL_MAX + RESUME_QUERY_MAX], query[RESUME_QUERY_MAX];
    struct fault why;
    resume_query(&self->resume, query);
    snprintf(url, sizeof url, "%s%s", self->base, query);
    self->state = STREAM_CONNECTING;
    self->next_ms = clock_monotonic_ms() + CONNECT_DEADLINE_MS;
    if (ws_client_connect(self->socket, url, &why) != ERR_OK)
        lost(self, why.text);
}

enum err chat_stream_open(struct chat_stream **out, const char *ws_base, const char *chat, const char *epoch,
                          uint64_t since, const struct chat_stream_handler *handler, struct fault *why)
{
    struct chat_stream *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return fault_set(why, ERR_MEMORY, "no memory");
    size_t len = strlen(ws_base);
    while (len > 0 && ws_base[len - 1] == '/')
        len--;
    const struct ws_client_handler socket = {on_opened, on_message, on_closed, self};
    enum err err = ERR_OK;
    if (snprintf(self->base, sizeof self->base, "%.*s/chat/%s", (int)len, ws_base, chat) >= WS_CLIENT_URL_MAX - 200)
        err = fault_set(why, ERR_INVALID, "the WebSocket address is too long");
    if (err == ERR_OK && strncmp(ws_base, "ws://", 5) != 0 && strncmp(ws_base, "wss://", 6) != 0)
        err = fault_set(why, ERR_INVALID, "not a WebSocket address (ws:// or wss://): %.200s", ws_base);
    if (err == ERR_OK && ws_client_new(&self->socket, &socket) != ERR_OK)
        err = fault_set(why, ERR_MEMORY, "cannot make a WebSocket");
    if (err != ERR_OK) {
        chat_stream_close(out);
        return err;
    }
    self->handler = *handler;
    self->pause_ms = CHAT_STREAM_PAUSE_MS;
    resume_init(&self->resume, epoch, since);
    connect_now(self);
    return ERR_OK;
}

void chat_stream_close(struct chat_stream **self_p)
{
    if (*self_p) {
        ws_client_destroy(&(*self_p)->socket);
        free(*self_p);
    }
    *self_p = NULL;
}

enum chat_stream_state chat_stream_run(struct chat_stream *self, int ms)
{
    int64_t left = self->next_ms - clock_monotonic_ms();
    if (self->state == STREAM_WAITING && left <= 0)
        connect_now(self);
    else if (self->state == STREAM_CONNECTING && left <= 0)
        drop(self, "the server does not answer");
    if (self->state != STREAM_LIVE && left > 0 && left < ms)
        ms = (int)left;
    ws_client_run(self->socket, ms);
    return self->state;
}
