/* turns - chats that have a job to hand out, in the order they get their turn: a chat that was served goes to the end,
 * so one chat with a thousand jobs delays another by one job at most. Links lie in the chat; one thread. */
#ifndef TURNS_H
#define TURNS_H

#include "err.h"

struct turn {
    struct turn *prev, *next;
    bool queued;
};

struct turns {
    struct turn *first, *last;
};

void turns_join(struct turns *self, struct turn *turn); /* at the end; a turn already queued keeps its place */
void turns_leave(struct turns *self, struct turn *turn);

#endif
