/* decide(state, input, now) -> changes + effects: a table from the kind of an input to its handler. */
#include "core/call.h"
#include "core/follow.h"
#include "core/handlers.h"
#include "core/lease.h"

#include <stdio.h>
#include <string.h>

static void handle_link_open(struct core *core, const struct input *input)
{
    feed_link_opened(core, input->of.link);
}

static void handle_link_closed(struct core *core, const struct input *input)
{
    struct feed_link *link = feed_link_find(core, input->of.link);
    if (link)
        feed_link_closed(core, link);
}

static void handle_tap(struct core *core, const struct input *input)
{
    core->tapped = input->of.tapped;
}

static void handle_range(struct core *core, const struct input *input)
{
    follow_range(core, input->of.range);
}

static void handle_tick(struct core *core, const struct input *input)
{
    (void)input;
    lease_tick(core);
    outside_tick(core);
    feed_link_tick(core);
}

static void (*const handlers[INPUT_KINDS])(struct core *core, const struct input *input) = {
    [INPUT_REQUEST] = handle_request,
    [INPUT_WORK] = handle_work,
    [INPUT_OUTSIDE] = handle_outside,
    [INPUT_LINK_OPEN] = handle_link_open,
    [INPUT_LINK_CLOSED] = handle_link_closed,
    [INPUT_TAP] = handle_tap,
    [INPUT_RANGE] = handle_range,
    [INPUT_ROOM_OLD] = handle_room_old,
    [INPUT_TICK] = handle_tick,
};

static void begin(struct core *self, struct core_time now, struct changes *changes, struct effects *effects)
{
    self->now = now;
    self->changes = changes;
    self->effects = effects;
}

static enum err finish(struct core *self)
{
    core_forget_past(self);
    self->loading_past = false;
    self->changes = NULL;
    self->effects = NULL;
    return self->err;
}

enum err core_decide(struct core *self, const struct input *input, struct core_time now, struct changes *changes,
                     struct effects *effects)
{
    begin(self, now, changes, effects);
    if (self->err == ERR_OK)
        handlers[input->kind](self, input);
    return finish(self);
}

static void finish_links(struct core *self)
{
    size_t cursor = 0, len;
    const void *key;
    void *value;
    while (strmap_next(self->links, &cursor, &key, &len, &value)) {
        follow_catch_up(self, value);
        feed_link_flush(self, value);
    }
}

enum err core_finish_turn(struct core *self, struct core_time now, struct changes *changes, struct effects *effects)
{
    begin(self, now, changes, effects);
    if (self->err == ERR_OK)
        lease_dispatch(self);
    if (self->err == ERR_OK)
        finish_links(self);
    self->turn++;
    dedupe_settle(self->answers);
    dedupe_settle(self->events);
    enum err err = effects_feed_first(effects);
    if (err != ERR_OK)
        core_fail(self, err);
    return finish(self);
}

/* ---- which chat an input needs ---- */

static bool named_chat(const struct input *input, char out[ID_CHAT_MAX + 1])
{
    const struct request_frame *frame = input->of.request.frame;
    if (input->kind == INPUT_OUTSIDE)
        return outside_chat(input, out);
    if (input->kind == INPUT_ROOM_OLD)
        return (size_t)snprintf(out, ID_CHAT_MAX + 1, "%s", input->of.room.chat) <= ID_CHAT_MAX;
    if (input->kind != INPUT_REQUEST || (frame->kind != REQUEST_ATTACH && frame->kind != REQUEST_CALL))
        return false;
    if (frame->kind == REQUEST_CALL)
        return call_chat(frame, out) && id_chat_valid(out, strlen(out));
    memcpy(out, frame->chat, ID_CHAT_MAX + 1);
    return id_chat_valid(out, strlen(out));
}

bool core_wants_job(const struct core *self, const struct input *input, char job_id[JOB_ID_MAX + 1])
{
    if (input->kind != INPUT_REQUEST || input->of.request.frame->kind != REQUEST_CALL ||
        !call_past_job(input->of.request.frame, job_id))
        return false;
    const struct chat *chat = chat_find(self, input->of.request.frame->chat);
    return chat && chat->exists && !chat_cleared_now(self, chat) && !job_find_open(chat, job_id) &&
           !(chat->newest && strcmp(chat->newest->id, job_id) == 0);
}

bool core_wants_chat(const struct core *self, const struct input *input, char out[ID_CHAT_MAX + 1])
{
    return named_chat(input, out) && !chat_find(self, out);
}
