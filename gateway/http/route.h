/* route - the table of routes: which handler answers which method and path. Pure; any thread.
 *
 * A pattern is relative to api.prefix; `{name}` stands for one segment that is not empty: "/chat/workflows/{chat}".
 * HEAD is answered by GET's row. */
#ifndef ROUTE_H
#define ROUTE_H

#include "buf.h"
#include "http/target.h"

struct request;

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* any other token: no row has it */
};

enum route_body {
    ROUTE_BODY_DROPPED, /* read, and not looked at */
    ROUTE_BODY_JSON,    /* kept in request->body, at most http.json_bytes_max; its Content-Type is checked */
    ROUTE_BODY_STREAM,  /* handed to `bytes` as it comes, at most file.max_file_size_mb and a form around it */
    ROUTE_BODY_DUMP,    /* the same, at most chat_workflows.dump.upload_mb_max */
};

/* A step of a request's handling. It either answers (http/reply.h), or asks to be continued later (request_wait()), or,
 * in `begin` only, returns without either: then the body is read. */
typedef void request_step(struct request *request);
/* A piece of a streamed body. It may answer; the rest of the body is then read and dropped. It may not wait. */
typedef void request_bytes(struct request *request, const char *bytes, size_t len);

struct route {
    enum http_method method;
    const char *pattern;
    bool needs_chats; /* answered with 503 when chat_workflows.enabled is false */
    enum route_body body;
    request_step *begin;  /* the header is there, the body is not; NULL = nothing to do */
    request_bytes *bytes; /* of ROUTE_BODY_STREAM and ROUTE_BODY_DUMP */
    request_step *handle; /* all of the request is there */
};

#define ROUTE_PARAMETERS_MAX 4

struct route_match {
    const struct route *route; /* NULL: see methods */
    unsigned methods;          /* bits of http_method that this path has rows for; 0 = no such path */
    size_t count;
    struct {
        const char *name; /* in the pattern, up to `}` */
        size_t name_len;
        const char *value; /* borrowed from the target */
    } parameter[ROUTE_PARAMETERS_MAX];
};

enum http_method http_method_parse(const char *text);
const char *http_method_name(enum http_method method);

/* tables: pointers to arrays that end in a row whose pattern is NULL; the list ends in NULL. */
void route_find(const struct route *const *tables, const char *prefix, const struct target *target,
                enum http_method method, struct route_match *out);
const char *route_parameter(const struct route_match *self, const char *name); /* NULL = the pattern has none */
/* The value of `Allow`: "GET, HEAD, OPTIONS". */
enum err route_allow(unsigned methods, struct buf *out) MUST_CHECK;

#endif
