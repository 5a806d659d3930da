/* link - one link to the broker: its sockets and its id. Belongs to the uplink's thread; what its frames mean is
 * decided in link_state.c.
 *
 * Every link has sockets of its own, so that nothing said to or by an older link can reach a newer one; the sockets of
 * an old link are closed without lingering. The DEALER takes messages only while it is connected (ZMQ_IMMEDIATE), and
 * socket monitors tell when one of the connections breaks: what was on its way is then sent again on the next link. (A
 * SUB would connect and subscribe again by itself, and hide that the broker has forgotten what was attached.) */
#ifndef LINK_H
#define LINK_H

#include "settings.h"
#include "wire/feed_frame.h"

struct link;

enum err link_new(struct link **out, const struct settings *settings, struct fault *why) MUST_CHECK;
void link_destroy(struct link **self_p);
uint64_t link_id(const struct link *self);

struct link_ready {
    bool feed, requests, room, lost, letters; /* room: the DEALER takes a message; lost: a connection broke */
};
/* Waits for what is asked for in `want` (lost always) or for the descriptor `letters_fd`. */
void link_wait(struct link *self, const struct link_ready *want, int letters_fd, int timeout_ms,
               struct link_ready *out);

/* ERR_FULL: not connected or too much under way; nothing was taken. */
enum err link_send(struct link *self, const struct request_frame *frame) MUST_CHECK;
/* The next message, valid until the next call on the same socket; ERR_END when there is none. */
enum err link_next_answer(struct link *self, struct bytes *out) MUST_CHECK;
enum err link_next_batch(struct link *self, struct bytes *out) MUST_CHECK;

#endif
