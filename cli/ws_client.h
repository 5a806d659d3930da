/* ws_client - one WebSocket to one server (RFC 6455), over libwebsockets. Only this file knows that library.
 *
 * Everything happens inside ws_client_run(), in the caller's thread: no callback comes at another time. A silent server
 * is pinged after 20 s and given up after 30 s. */
#ifndef WS_CLIENT_H
#define WS_CLIENT_H

#include "err.h"

#define WS_CLIENT_MESSAGE_MAX (16 * 1024 * 1024) /* longer messages close the socket */
#define WS_CLIENT_URL_MAX     1024

struct ws_client;

struct ws_client_handler {
    void (*opened)(void *arg);
    /* One whole text message, NUL-terminated, valid during the call. */
    void (*message)(void *arg, const char *text, size_t len);
    /* Also when a connection attempt failed. The reason is for people. */
    void (*closed)(void *arg, const char *reason);
    void *arg;
};

/* The handler is copied. */
enum err ws_client_new(struct ws_client **out, const struct ws_client_handler *handler) MUST_CHECK;
void ws_client_destroy(struct ws_client **self_p);
/* ws://HOST[:PORT]/PATH or wss://; returns at once. An open connection is dropped first. */
enum err ws_client_connect(struct ws_client *self, const char *url, struct fault *why) MUST_CHECK;
/* Drops the connection without a word to the handler. */
void ws_client_drop(struct ws_client *self);
/* Serves the socket until something has happened or the time is over; ms <= 0: whatever is ready. */
void ws_client_run(struct ws_client *self, int ms);

#endif
