/* query - reads from the record off the commit path: an actor with a read-only connection. The loop sends it a query
 * after the commit of the turn it came in; the answer comes back as a letter and leaves through the loop, so it never
 * overtakes what was accepted before. */
#ifndef QUERY_H
#define QUERY_H

#include "broker.h"

#define QUERIES_MAX 1024 /* waiting and running; beyond: 503, and ranges are asked for again later */

struct answer_reply {
    struct peer peer;
    struct buf frame;
};

struct range_reply {
    struct range range;
    struct event_row *rows;
    struct buf texts;
};

enum err query_start(struct broker *self, struct fault *why) MUST_CHECK;
void query_stop(struct broker *self);
/* Loop thread. Takes the query. */
void query_send(struct broker *self, struct query **query);
/* Any actor: the answer to a query, as a letter to the loop (REPLY_ANSWER). json NULL = null. */
void query_answer(struct mailbox *replies, const struct query *query, uint16_t status, const char *message,
                  const struct buf *json);
/* A reply of this actor, taken from self->replies in the loop thread. */
void query_take(struct broker *self, const struct mail *reply);

#endif
