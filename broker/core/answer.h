/* answer - what gateways are told: answers to calls, kept for requests that are sent again, and the words that carry no
 * body (ACCEPTED, HELLO). */
#ifndef ANSWER_H
#define ANSWER_H

#include "core/job.h"

/* One CALL being answered. */
struct ask {
    const struct peer *peer;
    const struct request_frame *frame;
    const char *made; /* the chat this call has made; NULL = the frame names the chat */
};

/* The answer of a changing call, as it is remembered. */
struct kept_answer {
    uint16_t status;
    uint64_t fingerprint;                /* of an idempotency key's answer */
    char chat[ID_CHAT_MAX + 1];          /* that it is kept as long as; "" = no key's answer */
    const char *message, *body, *job_id; /* point into text */
    char text[];
};

void answer_send(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN], uint16_t status,
                 const char *message, struct bytes body);
/* body null. */
void answer_refuse(struct core *core, const struct ask *ask, uint16_t status, const char *message);
/* Sends, and keeps the answer with the changes of the same turn. job_id "" = none. */
void answer_keep(struct core *core, const struct ask *ask, uint16_t status, const char *message, struct bytes body,
                 const char *job_id);
/* The chat is gone, and with it what its idempotency keys stood for. */
void answer_forget_chat(struct core *core, const char *chat_id);
const struct kept_answer *answer_find(const struct core *core, const unsigned char id[REQUEST_ID_LEN]);

void answer_accepted(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                     const char *job_id);
/* 202 {"job_id","status":"submitted"} for callers who do not wait. */
void answer_submitted(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                      const char *job_id);
void answer_job_end(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                    const struct job *job);
void answer_hello(struct core *core, const struct peer *peer); /* this link is not known: open a new one */

#endif
