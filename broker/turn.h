/* turn - the order-and-disk gate. Inputs of one turn of the loop are decided one after the other; all their changes
 * become one transaction; their effects are carried out after it is on disk, in order. Loop thread. */
#ifndef TURN_H
#define TURN_H

#include "broker.h"

void turn_begin(struct broker *self);
/* Room for another input in this turn? */
bool turn_open(const struct broker *self);
/* Loads what the core needs and lets it decide. */
void turn_input(struct broker *self, const struct input *input);
/* Commits and carries out. A turn that cannot be committed answers its callers with 507 or 503 and the memory is built
 * anew from the record; an error is one only a restart mends. */
enum err turn_end(struct broker *self, struct fault *why) MUST_CHECK;
/* Fills an empty core from the record. */
enum err turn_load(struct broker *self, struct fault *why) MUST_CHECK;

#endif
