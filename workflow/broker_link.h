/* broker_link - the worker's DEALER to the broker (:5564): whole frames out and in, nothing queued for a broker that is
 * not there. What must not get lost is said again by the lease keeper. Belongs to the thread that opened it. */
#ifndef BROKER_LINK_H
#define BROKER_LINK_H

#include "settings.h"
#include "wire/work_frame.h"

struct broker_link;

/* context: a ZeroMQ context, borrowed. */
enum err broker_link_open(struct broker_link **out, void *context, const struct settings *settings,
                          struct fault *why) MUST_CHECK;
void broker_link_close(struct broker_link **self_p);

void *broker_link_socket(struct broker_link *self);  /* for zmq_poll */
void *broker_link_monitor(struct broker_link *self); /* for zmq_poll: readable when broker_link_lost() has news */
/* The connection has broken since the last call: what was on its way may be lost, even if a new one stands already. */
bool broker_link_lost(struct broker_link *self);
/* ERR_UNAVAILABLE: no broker is connected, or it reads nothing; the frame is dropped. */
enum err broker_link_send(struct broker_link *self, const struct work_frame *frame) MUST_CHECK;
/* ERR_END: nothing for now. ERR_PROTOCOL: a message that is no frame was dropped. Texts are valid until the next call.
 */
enum err broker_link_receive(struct broker_link *self, struct work_frame *out) MUST_CHECK;

#endif
