#include "core/turns.h"

void turns_join(struct turns *self, struct turn *turn)
{
    if (turn->queued)
        return;
    *turn = (struct turn){.prev = self->last, .next = NULL, .queued = true};
    if (self->last)
        self->last->next = turn;
    else
        self->first = turn;
    self->last = turn;
}

void turns_leave(struct turns *self, struct turn *turn)
{
    if (!turn->queued)
        return;
    if (turn->prev)
        turn->prev->next = turn->next;
    else
        self->first = turn->next;
    if (turn->next)
        turn->next->prev = turn->prev;
    else
        self->last = turn->prev;
    *turn = (struct turn){.queued = false};
}
