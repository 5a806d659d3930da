#include "core/record.h"

#include "core/follow.h"

#include <stdlib.h>
#include <string.h>

static struct stamp stamp_of(struct core *core, const struct chat *chat, const struct draft *draft, uint64_t seq)
{
    return (struct stamp){.type = draft->type,
                          .chat_id = chat->id,
                          .seq = seq,
                          .epoch = chat->epoch,
                          .timestamp = core_now_text(core),
                          .job_id = draft->job ? draft->job->id : NULL,
                          .attempt = draft->job ? draft->job->attempts : 0,
                          .outside = !draft->job};
}

/* The event as clients get it, in core->scratch; NULL: too large, or no memory (then the core has failed). */
static const struct buf *write_body(struct core *core, struct chat *chat, const struct draft *draft, uint64_t seq)
{
    struct stamp stamp = stamp_of(core, chat, draft, seq);
    buf_clear(&core->scratch);
    enum err err = stamp_write(&core->scratch, &stamp, draft->extra, draft->members, draft->dropped);
    if (err != ERR_OK && err != ERR_FULL)
        core_fail(core, err);
    return err == ERR_OK ? &core->scratch : NULL;
}

static void tap(struct core *core, const struct chat *chat, const char *type, const char *body, size_t len)
{
    if (!core->tapped)
        return;
    struct effect *effect = core_effect(core, EFFECT_TAP);
    char topic[TAP_TOPIC_MAX];
    tap_topic(chat->id, type, topic);
    if (!effect)
        return;
    effect->topic = core_copy_text(core, topic);
    enum err err = buf_add(&effect->bytes, body, len);
    if (err != ERR_OK)
        core_fail(core, err);
}

static struct step_progress *find_progress(struct chat *chat, const char *key)
{
    for (uint32_t i = 0; key && i < chat->progress_count; i++)
        if (strcmp(chat->progress[i].key, key) == 0)
            return &chat->progress[i];
    return NULL;
}

/* Moves the closing progress from the chat into its event. */
static void attach_closing(struct core *core, struct chat *chat, struct tail_event *event, const char *key)
{
    struct step_progress *closing = find_progress(chat, key);
    if (!closing)
        return;
    event->closing_key = core_copy_text(core, key);
    event->closing = closing->body;
    event->closing_len = closing->len;
    closing->body = NULL;
    chat_progress_drop(chat, key);
}

static void change_event(struct core *core, const struct chat *chat, const struct draft *draft,
                         const struct tail_event *event)
{
    core_change(core, &(struct change){.kind = CHANGE_EVENT_ADD,
                                       .of.event = {.chat_id = chat->id,
                                                    .type = draft->type,
                                                    .job_id = draft->job ? draft->job->id : "",
                                                    .seq = event->seq,
                                                    .event_id = draft->event_id,
                                                    .body = event->body,
                                                    .body_len = event->len,
                                                    .created_us = core->now.wall_us}});
}

uint64_t record_event(struct core *core, struct chat *chat, const struct draft *draft, const char *closing_key)
{
    uint64_t seq = chat->head + 1;
    const struct buf *body = write_body(core, chat, draft, seq);
    struct tail_event *event = body ? tail_event_new(core, draft->type, seq, body->data, body->len) : NULL;
    if (!event)
        return 0;
    chat->head = seq;
    chat->used_ms = core->now.mono_ms;
    attach_closing(core, chat, event, closing_key);
    change_event(core, chat, draft, event);
    if (event->closing)
        tap(core, chat, "progress", event->closing, event->closing_len);
    tap(core, chat, draft->type, event->body, event->len);
    chat_tail_push(core, chat, event);
    follow_event(core, chat);
    return seq;
}

void record_progress(struct core *core, struct chat *chat, const struct draft *draft, const char *key, bool closing)
{
    const struct buf *body = write_body(core, chat, draft, 0);
    char *kept = body ? core_alloc(core, body->len) : NULL;
    if (!kept)
        return;
    chat->used_ms = core->now.mono_ms;
    memcpy(kept, body->data, body->len);
    if (!closing)
        tap(core, chat, draft->type, kept, body->len);
    chat_progress_put(core, chat, key, kept, body->len, draft->job);
    if (!closing)
        follow_progress(core, chat);
}

void record_reset(struct core *core, struct chat *chat)
{
    follow_reset(core, chat);
}

void record_message(struct core *core, struct chat *chat, const char *type, const char *content, const char *metadata)
{
    char id[ID_UUID_LEN + 1];
    core_uuid(core, id);
    core_change(core, &(struct change){.kind = CHANGE_MESSAGE_ADD,
                                       .of.message = {.message_id = id,
                                                      .chat_id = chat->id,
                                                      .message_type = type,
                                                      .content = content,
                                                      .metadata = metadata,
                                                      .created_us = core->now.wall_us}});
}
