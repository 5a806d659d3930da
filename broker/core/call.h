/* call - the broker's routes: a table of handlers, one a call of request_frame.h. */
#ifndef CALL_H
#define CALL_H

#include "core/answer.h"

/* A CALL on an open link. prior: the record's answer for this id, NULL = none. */
void call_handle(struct core *core, const struct ask *ask, const struct answer_row *prior);
/* The chat a CALL is about: "" = none. A CALL_CREATE_CHAT names it in its body; false: that name is no chat id. */
bool call_chat(const struct request_frame *frame, char out[ID_CHAT_MAX + 1]);
/* CALL_EXECUTE (execute.c). */
void execute_handle(struct core *core, const struct ask *ask, struct chat *chat);
/* The same request again: its run was accepted under job_id before. */
void execute_again(struct core *core, const struct ask *ask, struct chat *chat, const char *job_id);

#endif
