/* janitor - keeps house: an actor for what takes its time off the commit path. It removes files the record names no
 * more, looks for what is older than what is to be kept (expiry.h), and takes snapshots of the record. The loop hands
 * it orders and does itself only what must be written to the record. */
#ifndef JANITOR_H
#define JANITOR_H

#include "broker.h"

#define JANITOR_KEYS_MAX    64 /* handed over at a time */
#define JANITOR_TRIMS_MAX   16 /* chats with old events, and old rooms, found at a time */
#define JANITOR_BACKUPS_MAX 4  /* snapshots asked for that wait; beyond: 503 */

enum err janitor_start(struct broker *self, struct fault *why) MUST_CHECK;
void janitor_stop(struct broker *self);
/* Loop thread, between turns: hands over what is due. */
void janitor_poll(struct broker *self);
/* Loop thread: a snapshot is wanted. Takes the query, unless it is an error (ERR_FULL); the answer is a REPLY_ANSWER.
 */
enum err janitor_backup(struct broker *self, struct query *query) MUST_CHECK;
/* A reply of this actor, taken from self->replies in the loop thread. */
void janitor_take(struct broker *self, const struct mail *reply);

#endif
