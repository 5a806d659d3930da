/* handlers - what decide()'s table points to: one function an input kind. */
#ifndef HANDLERS_H
#define HANDLERS_H

#include "core/state.h"

void handle_request(struct core *core, const struct input *input);  /* gateway_frame.c */
void handle_work(struct core *core, const struct input *input);     /* worker_frame.c */
void handle_outside(struct core *core, const struct input *input);  /* outside.c */
void handle_room_old(struct core *core, const struct input *input); /* room.c */
/* An event of this id (EVENT_ID_MAX at most) is in the chat's history: sent again, it gets this number. */
void outside_remember(struct core *core, const struct chat *chat, const char *event_id, uint64_t seq);
/* Says what outside programs lost, at most once a second. */
void outside_tick(struct core *core);
/* The chat and event_id an outside event names; false: not acceptable at all. Cheap: bounds and ids only. */
bool outside_chat(const struct input *input, char out[ID_CHAT_MAX + 1]);

#endif
