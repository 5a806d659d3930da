/* chat_stream - one chat's events, in order and once, over as many WebSocket connections as it takes.
 *
 * Connects, applies the resume rule, connects again with growing pauses when the socket is lost or a hole shows. The
 * handler is called from chat_stream_run() only, in the caller's thread. */
#ifndef CHAT_STREAM_H
#define CHAT_STREAM_H

#include "resume.h"

#include <jansson.h>

#define CHAT_STREAM_PAUSE_MS     100
#define CHAT_STREAM_PAUSE_MAX_MS 5000

struct chat_stream;

enum chat_stream_state {
    STREAM_CONNECTING,
    STREAM_LIVE,    /* `connected` has come */
    STREAM_WAITING, /* lost; the next attempt comes by itself */
};

struct chat_stream_handler {
    /* What is shown must be rebuilt from connected.snapshot (may be absent). Borrowed. */
    void (*rebuild)(void *arg, const json_t *connected);
    /* A record event not seen before, or a progress. Borrowed. */
    void (*event)(void *arg, const json_t *event);
    /* The socket is lost, or an attempt failed; `why` is for people. */
    void (*lost)(void *arg, const char *why);
    void *arg;
};

/* ws_base: "ws://127.0.0.1:5051". epoch "" = from a snapshot. */
enum err chat_stream_open(struct chat_stream **out, const char *ws_base, const char *chat, const char *epoch,
                          uint64_t since, const struct chat_stream_handler *handler, struct fault *why) MUST_CHECK;
void chat_stream_close(struct chat_stream **self_p);
/* Serves for about ms milliseconds, or until something has happened. */
enum chat_stream_state chat_stream_run(struct chat_stream *self, int ms);

#endif
