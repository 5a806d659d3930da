/* request - one REST request from its header to its answer, as handlers see it.
 *
 * Handlers run in the HTTP thread and never block: what takes time is started elsewhere, the handler says
 * request_wait(), and when the other thread calls request_wake() the named step runs in the HTTP thread again. No
 * thread is held meanwhile. The request and everything in it is freed in the HTTP thread when the answer has been sent
 * or the client has left; until then it stays where it is, so another thread may hold a pointer to it as long as
 * free_state or free_pending takes that pointer back. */
#ifndef REQUEST_H
#define REQUEST_H

#include "buf.h"
#include "http/fields.h"
#include "http/guard.h"
#include "http/route.h"
#include "http/splice.h"
#include "http/target.h"
#include "id.h"

struct settings;
struct held;

/* Why a waiting request goes on. */
enum wake {
    WAKE_READY,    /* request_wake() was called */
    WAKE_DEADLINE, /* the wait's own deadline, or the server cannot wait any longer */
    WAKE_DRAIN,    /* the server was told to stop */
    WAKE_GONE,     /* the client has hung up: the request is freed, no step runs */
};

/* What may end a wait besides request_wake(). With none of them the other thread must wake the request soon. */
enum wait_ends {
    WAIT_ENDS_GONE = 1,     /* the client may leave, and the server may give up at the end of its drain */
    WAIT_ENDS_DRAINING = 2, /* go on at once when the server is told to stop */
};

#define ANSWER_FIELDS_MAX 16

struct answer {
    bool ready;
    bool close; /* close the connection afterwards */
    int status;
    struct buf body;
    struct splices splices; /* files whose content stands in the body */
    int fd;                 /* -1, or the file that is the body; `length` bytes from `offset` */
    uint64_t offset;
    uint64_t length;
    size_t field_count;
    struct {
        const char *name; /* borrowed for ever */
        char *value;
    } field[ANSWER_FIELDS_MAX];
};

enum request_phase {
    REQUEST_HEAD, /* the header is being decided on */
    REQUEST_BODY, /* the body is being read */
    REQUEST_DONE, /* all is read; the handler works or has answered */
};

struct request {
    /* What the client asked. Constant once the header is there. */
    char id[ID_HEX_LEN + 1]; /* request_id, trace id */
    enum http_method method;
    char *uri; /* as received */
    struct target target;
    struct fields fields; /* borrowed from the library */
    struct guard_framing framing;
    struct route_match match;
    int64_t started_ms;
    bool draining; /* the server had been told to stop when this came */

    /* What handlers use. */
    const struct settings *settings;
    void *context;              /* of the server: what handlers need */
    struct buf body;            /* of ROUTE_BODY_JSON */
    void *state;                /* of the handler */
    void (*free_state)(void *); /* runs in the HTTP thread, NULL = nothing */
    void *pending;              /* what it waits for, likewise */
    void (*free_pending)(void *);
    struct answer answer; /* written through http/reply.h */
    enum wake wake;       /* why the current step runs after a wait */

    /* The server's. */
    enum request_phase phase;
    bool seen;           /* the header has been decided on */
    uint64_t body_bytes; /* read so far */
    uint64_t body_max;
    const char *body_max_key; /* the setting that says so */
    void *connection;         /* the library's */
    struct watched *watched;
    struct held *held;
    request_step *then; /* set while a wait is asked for */
    unsigned wait_ends;
    int64_t deadline_ms;
    int fd;

    /* Under held's lock. */
    bool suspended;
    bool woken;
    enum wake why_woken;
    struct request *next_held;
    struct request *prev_held;
};

/* Continue with `then` after request_wake(), or when one of `ends` (bits of wait_ends) happens. deadline_ms is a
 * monotonic time, 0 = none. */
void request_wait(struct request *self, unsigned ends, int64_t deadline_ms, request_step *then);
/* Any thread; once a wait. May come before request_wait(). */
void request_wake(struct request *self);

const char *request_field(const struct request *self, const char *name);     /* NULL = absent */
const char *request_parameter(const struct request *self, const char *name); /* of the path; never NULL for its own */

/* The server's: makes and frees a request. NULL when there is no memory. */
struct request *request_new(const char *uri);
void request_destroy(struct request **self_p);

#endif
