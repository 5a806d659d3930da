/* ask - a handler's question to the broker. The request waits without a thread; the answer comes to `then` in the HTTP
 * thread. A client that hangs up is forgotten at the broker too. One question of a request at a time. */
#ifndef ASK_H
#define ASK_H

#include "rest/rest.h"

#define ASK_DEADLINE_MS 15000
#define ASK_JOB_MAX     ID_JOB_MAX
#define ASK_ANSWER_MAX  ((size_t)256 << 20)
#define ASK_OVERTIME_MS 5000 /* the broker's deadline lies this far behind our own, so that ours decides */

struct ask_answer {
    int status;          /* of the broker; 202 when a wait ended and the job is accepted, 504 when that is not known */
    const char *message; /* for people */
    const char *body;    /* JSON */
    size_t len;          /* 0 = null */
    const char *job_id;  /* of an accepted execute; "" otherwise */
};

typedef void ask_then(struct request *request, const struct ask_answer *answer);

struct ask {
    enum call call;
    const char *chat; /* NULL = none */
    const char *json;
    size_t len;
    const struct idempotency *key; /* NULL = none */
    int64_t deadline_ms;           /* from now */
    bool ends_draining;            /* a drain ends the wait: the job goes on without us */
    ask_then *then;
};

/* Answers 503 itself when the question cannot be put. */
void ask(struct request *request, const struct ask *question);
/* The usual question: ASK_DEADLINE_MS, body {} when json is NULL. */
void ask_simply(struct request *request, enum call call, const char *chat, const char *json, ask_then *then);
/* true for a success; otherwise the broker's refusal has been passed on to the client. */
bool ask_succeeded(struct request *request, const struct ask_answer *answer);

#endif
