/* intake - reads the sockets and turns what comes into inputs: gateways, workers, outside programs, subscriptions.
 * What does not decode is dropped and counted; nothing from a socket is trusted. Loop thread. */
#ifndef INTAKE_H
#define INTAKE_H

#include "broker.h"

/* Each reads until nothing waits, the turn is full, or `share` inputs were taken. */
void intake_requests(struct broker *self, uint32_t share);
void intake_work(struct broker *self, uint32_t share);
void intake_publish(struct broker *self, uint32_t share);
void intake_publish_ack(struct broker *self, uint32_t share);
void intake_feed(struct broker *self, uint32_t share); /* links come and go */
void intake_tap(struct broker *self, uint32_t share);

#endif
