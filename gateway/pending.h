/* pending - REST calls without an answer. The table belongs to the uplink's thread; a call is shared by that thread and
 * its caller, each of whom lets go once: the uplink when the call is answered or forgotten, the caller by
 * call_forget().
 *
 * A call is WAITING until it has been handed to a connected socket, then SENT; a lost link makes every SENT call due
 * again under the same id. Callbacks run under the call's own (recursive) lock, which is how call_forget() can promise
 * that none runs afterwards. */
#ifndef PENDING_H
#define PENDING_H

#include "uplink.h"

struct pending;

/* Copies the request; deadlines count from now_ms. Any thread. One reference is the caller's, one the table's. */
enum err call_new(struct uplink_call **out, const struct uplink_request *request, int64_t now_ms) MUST_CHECK;
void call_forget(struct uplink_call **call_p); /* any thread: uplink_forget() */
void call_release(void *call); /* drops the table's reference, for a call that never got into the table */

enum err pending_new(struct pending **out) MUST_CHECK;
void pending_destroy(struct pending **self_p); /* releases what is left, unanswered */
/* Takes the table's reference whatever the result; a call that does not fit is answered 503. */
void pending_add(struct pending *self, struct uplink_call *call);
size_t pending_count(const struct pending *self);

/* Sends every call that is due; stops at the first ERR_FULL of the sender. Returns whether calls remain due. */
typedef enum err pending_sender(void *ctx, const struct request_frame *frame);
bool pending_send(struct pending *self, uint64_t link, pending_sender *send, void *ctx);
void pending_link_lost(struct pending *self);
/* ANSWER and ACCEPTED of the broker; an unknown id is an answer nobody waits for any more: false. */
bool pending_answer(struct pending *self, const struct request_frame *frame);
/* Answers calls beyond their deadline and removes forgotten ones, telling the broker through `send` unless that is
 * NULL. */
void pending_sweep(struct pending *self, int64_t now_ms, pending_sender *send, void *ctx);
void pending_refuse_all(struct pending *self); /* the gateway stops: every call gets 503 or 504 */

#endif
