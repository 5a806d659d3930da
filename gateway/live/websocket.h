/* websocket - one established WebSocket: its queue, the message that is coming in, and how it ends. The functions are
 * called by the loop, in its thread, from libwebsockets' callbacks; the hub sends through websocket_send().
 *
 * A socket ends in one of three ways: the client leaves; we say so with a close frame behind what is queued, and cut
 * the client off that does not answer it within CLOSE_SECONDS; or the connection breaks. Its place among
 * max_connections is free as soon as its session is closed. */
#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "live/cancels.h"
#include "live/handshake.h"
#include "live/hub.h"
#include "live/live.h"

#include <libwebsockets.h>

/* Bytes of joined frames: libwebsockets keeps a buffer of a socket's largest partial write for ever. */
#define WEBSOCKET_WRITE_MAX 32768

enum close_code { CLOSE_GOING_AWAY = 1001, CLOSE_NOT_UTF8 = 1007, CLOSE_TOO_BIG = 1009, CLOSE_TRY_LATER = 1013 };

struct websocket;

/* What all sockets of a loop share. */
struct websockets {
    const struct settings *settings;
    struct live_counters *counters;
    struct hub *hub;
    struct cancels *cancels;
    struct websocket *first; /* established and not yet closed */
    bool draining;           /* newcomers are sent away */
    unsigned char out[LWS_PRE + WEBSOCKET_WRITE_MAX];
};

/* Its memory is libwebsockets' per-session storage, zeroed; `wants` is filled in before it is established. */
struct websocket {
    struct websockets *all;
    struct lws *wsi;
    struct session *session; /* NULL: not counted among the connections (refused, or closing) */
    struct outqueue queue;
    bool write_asked;   /* a writable callback is on its way */
    struct buf message; /* fragments of the message that is coming in */
    bool closing;       /* a close frame is queued; nothing else will be */
    struct websocket *prev, *next;
    struct handshake wants;
};

void websocket_established(struct websocket *self, struct websockets *all, struct lws *wsi);
void websocket_receive(struct websocket *self, const void *bytes, size_t len);
bool websocket_writable(struct websocket *self); /* false: the connection is broken */
void websocket_closed(struct websocket *self);   /* frees what it holds */

/* Says goodbye; once. reason: a short text for the client. Not from inside hub functions. */
void websocket_close(struct websocket *self, enum close_code code, const char *reason);
/* What it asked for was refused. */
void websocket_refuse(void *socket, const char *problem);
/* struct hub_output's send; ctx is not used. */
void websocket_send(void *ctx, void *socket, struct frame *frame, enum out_kind kind, struct bytes key);

#endif
