/* participant - the friendly name of a conversation: a sea or land animal or a star, and four digits. */
#ifndef PARTICIPANT_H
#define PARTICIPANT_H

#include "core/state.h"

void participant_name(struct core *core, char out[PARTICIPANT_MAX]); /* "Otter-4711" */

#endif
