/* call - the broker's routes: a table of handlers, one a call of request_frame.h. */
#ifndef CALL_H
#define CALL_H

#include "core/answer.h"

/* A CALL on an open link. prior, keyed: the record's answer for this id, for its idempotency key; NULL = none. */
void call_handle(struct core *core, const struct ask *ask, const struct answer_row *prior,
                 const struct answer_row *keyed);
/* The chat a CALL is about: "" = none. A CALL_CREATE_CHAT names it in its body; false: that name is no chat id. */
bool call_chat(const struct request_frame *frame, char out[ID_CHAT_MAX + 1]);
/* The job of a call about one job that may have ended: CALL_CANCEL_JOB, CALL_RETRY_JOB. false: another call, or it
 * names none. */
bool call_past_job(const struct request_frame *frame, char job_id[JOB_ID_MAX + 1]);
/* CALL_CANCEL_JOB, CALL_RETRY_JOB (job_call.c). */
void cancel_handle(struct core *core, const struct ask *ask, struct chat *chat);
void retry_handle(struct core *core, const struct ask *ask, struct chat *chat);
/* CALL_EXECUTE (execute.c). */
void execute_handle(struct core *core, const struct ask *ask, struct chat *chat);
/* The same request again: its run was accepted under job_id before. */
void execute_again(struct core *core, const struct ask *ask, struct chat *chat, const char *job_id);

/* What executing and retrying share. A job with an id and its time, in no queue yet; NULL after core_fail(). */
struct job *execute_new_job(struct core *core, struct chat *chat, const struct ask *ask, uint32_t steps);
/* Queues it, writes it and answers. */
void execute_accept(struct core *core, const struct ask *ask, struct job *job, bool wait);
/* false: the queue is full and the call is answered. */
bool execute_has_room(struct core *core, const struct ask *ask);

#endif
