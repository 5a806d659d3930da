/* handlers - what decide()'s table points to: one function an input kind. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "core/state.h"

void handle_request(struct core *core, const struct input *input);  /* gateway_frame.c */
void handle_work(struct core *core, const struct input *input);     /* worker_frame.c */
void handle_outside(struct core *core, const struct input *input);  /* outside.c */
void handle_room_old(struct core *core, const struct input *input); /* room.c */
/* Says what outside programs lost, at most once a second. */
void outside_tick(struct core *core);
/* The chat and event_id an outside event names; false: not acceptable at all. Cheap: bounds and ids only. */
bool outside_chat(const struct input *input, char out[ID_CHAT_MAX + 1]);

#endif
