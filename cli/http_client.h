/* http_client - the few REST calls the command line makes, over libcurl. Only this file knows that library.
 *
 * Calls block. Answers of the server are its envelope; `data` is handed out, `message` becomes the fault's text when
 * the status says error. One thread. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "err.h"

#include <jansson.h>
#include <stdint.h>

#define HTTP_CLIENT_URL_MAX  1024
#define HTTP_CLIENT_BODY_MAX (64 * 1024 * 1024)

struct http_client;

struct http_reply {
    long status;                        /* 0 = no answer came */
    json_t *data;                       /* owned; NULL when the body was not the envelope */
    char location[HTTP_CLIENT_URL_MAX]; /* "" = none */
};

/* base: "http://127.0.0.1:5050"; a path in it replaces the usual prefix "/api/v1". */
enum err http_client_new(struct http_client **out, const char *base, struct fault *why) MUST_CHECK;
/* Calls take at most this long; 0 = as long as bytes flow. */
void http_client_limit(struct http_client *self, long ms);
void http_client_destroy(struct http_client **self_p);

/* `path` begins with a slash and follows the prefix. The fault's code tells: ERR_UNAVAILABLE nobody answers or 503,
 * ERR_NOT_FOUND 404, ERR_INVALID other 4xx, ERR_INTERNAL 5xx. The reply is filled (and to be freed) in every case. */
enum err http_client_get(struct http_client *self, const char *path, struct http_reply *reply,
                         struct fault *why) MUST_CHECK;
/* body NULL = an empty one. async adds `Prefer: respond-async`. */
enum err http_client_post(struct http_client *self, const char *path, const char *body, bool async,
                          struct http_reply *reply, struct fault *why) MUST_CHECK;
/* Streams a file as multipart field `file`. */
enum err http_client_upload(struct http_client *self, const char *path, const char *file, struct http_reply *reply,
                            struct fault *why) MUST_CHECK;
/* Writes the body to an open descriptor. */
enum err http_client_download(struct http_client *self, const char *path, int fd, uint64_t *bytes,
                              struct fault *why) MUST_CHECK;
void http_reply_fini(struct http_reply *self);

/* Percent-encodes a path segment (RFC 3986, 2.1) into out; ERR_TOO_LARGE when it does not fit. */
enum err http_client_escape(const char *segment, char *out, size_t size) MUST_CHECK;

#endif
