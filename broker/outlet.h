/* outlet - carries out effects: everything that leaves the broker leaves here, after the commit. Loop thread. */
#ifndef OUTLET_H
#define OUTLET_H

#include "broker.h"

/* All effects of the turn in order; the list is empty afterwards. */
void outlet_release(struct broker *self);
/* An answer that came from the reader. Takes the bytes. */
void outlet_answer(struct broker *self, const struct peer *peer, struct buf *frame);
/* 503, or 507 when the disk is full: not accepted, and never will be. ERR_TIMEOUT is 504, which promises nothing.
 * {"error"} for publishers. */
void outlet_refuse(struct broker *self, const struct caller *caller, enum err cause);

#endif
