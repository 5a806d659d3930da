/* janitor - removes files the record names no more: an actor, because removing a large file takes its time. The loop
 * hands it to-delete keys from the record and forgets each one when its file is gone. */
#ifndef JANITOR_H
#define JANITOR_H

#include "broker.h"

#define JANITOR_KEYS_MAX 64 /* handed over at a time */

enum err janitor_start(struct broker *self, struct fault *why) MUST_CHECK;
void janitor_stop(struct broker *self);
/* Loop thread, between turns: hands over keys when something is due. */
void janitor_poll(struct broker *self);
/* A reply of this actor, taken from self->replies in the loop thread. */
void janitor_take(struct broker *self, const struct mail *reply);

#endif
