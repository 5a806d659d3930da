/* The end of a room, a chat without a conversation: nobody deletes one, so it goes when it has been quiet for long. */
#include "core/chat.h"
#include "core/handlers.h"

/* Whoever is attached holds its epoch and would have to begin anew, and an event since then makes it young again. */
static bool may_go(const struct chat *chat, uint64_t head)
{
    return chat->exists && chat->room && chat->head == head && !chat->follows && !chat->jobs;
}

void handle_room_old(struct core *core, const struct input *input)
{
    struct chat *chat = chat_find(core, input->of.room.chat);
    if (!chat || !may_go(chat, input->of.room.head))
        return;
    core_change(core, &(struct change){.kind = CHANGE_CHAT_DELETE,
                                       .of.chat = {.chat_id = chat->id, .updated_us = core->now.wall_us}});
    core->rooms--;
    chat_clear(core, chat);
}
