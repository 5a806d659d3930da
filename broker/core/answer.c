#include "core/answer.h"

#include "core/compose.h"

#include <string.h>

static void send_frame(struct core *core, const struct peer *peer, const struct request_frame *frame)
{
    struct effect *effect = core_effect(core, EFFECT_ANSWER);
    if (!effect)
        return;
    effect->peer = *peer;
    enum err err = request_frame_write(frame, &effect->bytes);
    if (err != ERR_OK)
        core_fail(core, err);
}

void answer_send(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN], uint16_t status,
                 const char *message, struct bytes body)
{
    struct request_frame frame = {.kind = REQUEST_ANSWER,
                                  .status = status,
                                  .message = {message, strlen(message)},
                                  .body = body.len ? body : (struct bytes){"null", 4}};
    memcpy(frame.id, id, REQUEST_ID_LEN);
    send_frame(core, peer, &frame);
}

void answer_refuse(struct core *core, const struct ask *ask, uint16_t status, const char *message)
{
    answer_send(core, ask->peer, ask->frame->id, status, message, (struct bytes){0});
}

static struct kept_answer *make_kept(struct core *core, uint16_t status, const char *message, struct bytes body,
                                     const char *job_id)
{
    size_t message_len = strlen(message) + 1, job_len = strlen(job_id) + 1;
    struct kept_answer *kept = core_alloc(core, sizeof *kept + message_len + body.len + 1 + job_len);
    if (!kept)
        return NULL;
    char *at = kept->text;
    kept->status = status;
    kept->message = memcpy(at, message, message_len);
    at += message_len;
    if (body.len > 0)
        memcpy(at, body.at, body.len);
    kept->body = at;
    kept->job_id = memcpy(at + body.len + 1, job_id, job_len);
    return kept;
}

/* An accepted run is remembered by its job; its answer is the job's end. keyed: under the call's idempotency key, not
 * under its id. */
static void keep(struct core *core, const struct ask *ask, bool keyed, uint16_t status, const char *message,
                 struct bytes body, const char *job_id)
{
    const unsigned char *id = keyed ? ask->frame->key : ask->frame->id;
    const char *chat = !keyed ? "" : ask->made ? ask->made : ask->frame->chat;
    struct kept_answer *kept = make_kept(core, status, message, body, job_id);
    if (!kept)
        return;
    kept->fingerprint = ask->frame->fingerprint;
    memcpy(kept->chat, chat, strlen(chat) + 1);
    struct change change = {.kind = CHANGE_ANSWER_PUT,
                            .of.answer = {.status = status,
                                          .message = kept->message,
                                          .body = kept->body,
                                          .job_id = kept->job_id,
                                          .created_us = core->now.wall_us,
                                          .keyed = keyed,
                                          .fingerprint = keyed ? ask->frame->fingerprint : 0,
                                          .chat_id = chat}};
    memcpy(change.of.answer.request_id, id, REQUEST_ID_LEN);
    core_change(core, &change);
    void *value = kept;
    enum err err = dedupe_put(core->answers, id, REQUEST_ID_LEN, &value);
    if (err != ERR_OK)
        core_fail(core, err);
}

void answer_keep(struct core *core, const struct ask *ask, uint16_t status, const char *message, struct bytes body,
                 const char *job_id)
{
    keep(core, ask, false, status, message, body, job_id);
    if (ask->frame->keyed)
        keep(core, ask, true, status, message, body, job_id);
    if (job_id[0] == '\0')
        answer_send(core, ask->peer, ask->frame->id, status, message, body);
}

static bool of_chat(const void *value, const void *chat_id)
{
    const struct kept_answer *kept = value;
    return strcmp(kept->chat, chat_id) == 0;
}

void answer_forget_chat(struct core *core, const char *chat_id)
{
    dedupe_forget(core->answers, of_chat, chat_id);
}

const struct kept_answer *answer_find(const struct core *core, const unsigned char id[REQUEST_ID_LEN])
{
    return dedupe_get(core->answers, id, REQUEST_ID_LEN);
}

void answer_accepted(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                     const char *job_id)
{
    struct request_frame frame = {.kind = REQUEST_ACCEPTED, .body = {job_id, strlen(job_id)}};
    memcpy(frame.id, id, REQUEST_ID_LEN);
    send_frame(core, peer, &frame);
}

static void send_composed(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                          uint16_t status, const char *message, struct compose *body)
{
    if (body->err == ERR_OK)
        answer_send(core, peer, id, status, message, (struct bytes){body->buf.data, body->buf.len});
    else
        core_fail(core, body->err);
    compose_fini(body);
}

void answer_submitted(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                      const char *job_id)
{
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_text(&body, "job_id", job_id);
    compose_text(&body, "status", "submitted");
    compose_plain(&body, "}");
    send_composed(core, peer, id, 202, "Workflow submitted", &body);
}

void answer_job_end(struct core *core, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN],
                    const struct job *job)
{
    struct compose body = COMPOSE_INIT;
    struct buf message = BUF_INIT(2 * FAULT_TEXT_MAX);
    body.err = job_write_answer(core, job, &body.buf);
    job_answer_message(job, &message);
    send_composed(core, peer, id, job_answer_status(job), buf_text(&message), &body);
    buf_fini(&message);
}

void answer_hello(struct core *core, const struct peer *peer)
{
    struct request_frame frame = {.kind = REQUEST_HELLO, .number = core->term};
    send_frame(core, peer, &frame);
}
