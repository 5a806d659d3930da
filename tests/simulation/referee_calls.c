/* Calls, their idempotency keys and their answers: what arrives, what leaves the broker, what reaches a caller. */
#include "referee_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_US (15 * INT64_C(1000000)) /* for an answer after the faults have stopped */

const struct asked *referee_asked_of(const struct world *world, const unsigned char id[REQUEST_ID_LEN])
{
    return strmap_get(world->referee->calls, id, REQUEST_ID_LEN);
}

bool referee_of_key(const struct model_answer *answer, const struct asked *asked)
{
    return answer->row.keyed && memcmp(answer->row.request_id, asked->key.key, REQUEST_ID_LEN) == 0;
}

/* ---- idempotency keys ---- */

/* The answer that stands under a call's key, NULL when there is none. false: it came or went in the very turn that
 * ends, and another order of its requests may have decided. */
static bool settled(const struct world *world, const struct asked *asked, const struct answer_row **out)
{
    *out = NULL;
    for (const struct model_answer *at = model_answers(world); at; at = at->next) {
        if (!referee_of_key(at, asked))
            continue;
        if (at->commit == model_commits(world) || at->ended == model_commits(world))
            return false;
        if (!at->gone)
            *out = &at->row;
    }
    return true;
}

/* Does this job belong to the call, by its id or its key, now or before its chat was deleted? */
static const struct answer_row *answer_for_job(const struct world *world, const unsigned char id[REQUEST_ID_LEN],
                                               const char *job_id)
{
    const struct asked *asked = referee_asked_of(world, id);
    for (const struct model_answer *at = model_answers(world); at; at = at->next) {
        bool same =
            memcmp(at->row.request_id, id, REQUEST_ID_LEN) == 0 || (asked && asked->keyed && referee_of_key(at, asked));
        if (same && at->row.job_id[0] && strcmp(at->row.job_id, job_id) == 0)
            return &at->row;
    }
    return NULL;
}

static bool same_text(struct bytes text, const char *other)
{
    return text.len == strlen(other) && memcmp(text.at, other, text.len) == 0;
}

static bool same_answer(const struct request_frame *frame, const struct answer_row *row)
{
    char job_id[JOB_ID_MAX + 1];
    if (frame->kind == REQUEST_ACCEPTED)
        return same_text(frame->body, row->job_id);
    if (row->job_id[0] == '\0')
        return frame->status == row->status && same_text(frame->body, row->body);
    referee_text(frame->body.at, frame->body.len, "job_id", job_id, sizeof job_id);
    return strcmp(job_id, row->job_id) == 0;
}

static bool tells_conflict(uint16_t status, struct bytes message)
{
    static const char conflict[] = "This Idempotency-Key was used before";
    return status == 422 && message.len >= sizeof conflict - 1 &&
           memcmp(message.at, conflict, sizeof conflict - 1) == 0;
}

static void key_is_gone(struct world *world, const struct asked *asked)
{
    world_fail(world, INV_KEY_ANSWER, "%s is answered by its key, which went with its chat", call_name(asked->call));
}

void referee_query_leaves(struct world *world, const struct query *query)
{
    const struct asked *asked = referee_asked_of(world, query->id);
    const struct answer_row *row;
    if (query->kind == QUERY_JOB_END && asked && asked->keyed && !model_answer(world, query->id) &&
        settled(world, asked, &row) && !row)
        key_is_gone(world, asked);
}

/* What leaves for a keyed call that had no effect of its own. */
static void check_keyed_leaves(struct world *world, const struct asked *asked, const struct request_frame *frame)
{
    const struct answer_row *row;
    bool conflict = frame->kind == REQUEST_ANSWER && tells_conflict(frame->status, frame->message);
    if (!settled(world, asked, &row))
        return;
    if (!row) {
        if (frame->kind == REQUEST_ACCEPTED || frame->status < 300 || conflict)
            key_is_gone(world, asked);
        return;
    }
    if (row->fingerprint != asked->key.fingerprint) {
        world_saw(world, INV_KEY_OTHER);
        if (!conflict)
            world_fail(world, INV_KEY_OTHER, "another body under a used key is answered %u", frame->status);
        return;
    }
    world_saw(world, INV_KEY_ANSWER);
    if (!same_answer(frame, row))
        world_fail(world, INV_KEY_ANSWER, "a key stands for %s%s with status %u, its repeat is told %u %.*s",
                   row->job_id[0] ? "job " : "", row->job_id, row->status, frame->status, (int)frame->body.len,
                   frame->body.at);
    else if (frame->kind == REQUEST_ANSWER && asked->waits && frame->status == 202)
        world_fail(world, INV_KEY_WAITS, "a repeat that waits is not answered by the end of job %s", row->job_id);
}

void referee_refuses(struct world *world, const unsigned char id[REQUEST_ID_LEN])
{
    const struct asked *asked = referee_asked_of(world, id);
    if (model_answer(world, id))
        world_fail(world, INV_REFUSED_NEVER, "a request that was carried out is refused");
    else if (asked && asked->keyed && model_answer(world, asked->key.key))
        world_fail(world, INV_KEY_ANSWER, "a request is refused, though its key has its effect on disk");
}

/* A repeat under a key may be told the end of the run that goes with its chat, and then, coming again in the same turn,
 * start one of its own: the key went too. */
static bool goes_with_its_chat(const struct world *world, const struct asked *asked, const struct request_frame *frame,
                               char told[JOB_ID_MAX + 1])
{
    return asked && asked->keyed && asked->chat >= 0 &&
           model_chat(world, asked->chat)->deleted == model_commits(world) &&
           referee_text(frame->body.at, frame->body.len, "job_id", told, JOB_ID_MAX + 1);
}

static void check_end_leaves(struct world *world, const struct asked *asked, const struct answer_row *row,
                             const struct request_frame *frame)
{
    char told[JOB_ID_MAX + 1];
    bool end = frame->status != 202 && frame->status != 503 && frame->status != 507;
    const char *job_id = goes_with_its_chat(world, asked, frame, told) ? told : row->job_id;
    const struct model_job *job = model_job(world, job_id);
    if (end && (!job || !job_status_final(job->row.status)))
        referee_not_on_disk(world, "the end of a run", job_id);
}

/* A dump that is restored may know less of a run than its caller was told. */
static bool was_restored(const struct world *world, const char *job_id)
{
    const struct model_job *job = model_jobs(world);
    while (job && !(job->restored && strcmp(job->row.job_id, job_id) == 0))
        job = job->next;
    return job != NULL;
}

/* Of two that restore a chat in one turn, the last one's dump is there. */
static bool made_once(const struct world *world, const struct model_chat *chat)
{
    int count = 0;
    for (const struct model_history *at = model_histories(world); at; at = at->next)
        count += at->commit == model_commits(world) && strcmp(at->chat_id, chat->row.chat_id) == 0;
    return count == 1;
}

static void check_restore_leaves(struct world *world, const struct asked *asked, const struct request_frame *frame)
{
    const struct model_chat *chat = model_chat(world, asked->chat);
    world_saw(world, INV_RESTORED);
    if (frame->status == 422)
        world_fail(world, INV_RESTORED, "a dump is refused: %.*s", (int)frame->message.len, frame->message.at);
    if (frame->status != 200 || !chat->exists || !chat->history->restored || !made_once(world, chat))
        return; /* refused, or an answer of before that is told again */
    if (chat->history->count < asked->events || chat->file_count < asked->files)
        world_fail(world, INV_RESTORED, "%s has %zu events and %zu files, its dump had %zu and %zu", chat->row.chat_id,
                   chat->history->count, chat->file_count, asked->events, asked->files);
}

/* By REST or by a WebSocket: who is told that a run is cancelled may rely on it. */
static void check_cancel_leaves(struct world *world, const struct request_frame *frame)
{
    char job_id[JOB_ID_MAX + 1];
    referee_text(frame->body.at, frame->body.len, "job_id", job_id, sizeof job_id);
    const struct model_job *job = model_job(world, job_id);
    if (!was_restored(world, job_id) && (!job || job->row.status != JOB_CANCELLED))
        world_fail(world, INV_CANCEL, "job %s is told to be cancelled and is %s", job_id,
                   job ? job_status_name(job->row.status) : "unknown");
}

void referee_answer_leaves(struct world *world, const struct effect *effect)
{
    struct request_frame frame;
    char job_id[JOB_ID_MAX + 1];
    if (request_frame_read(&frame, effect->bytes.data, effect->bytes.len) != ERR_OK) {
        world_fail(world, INV_ON_DISK_FIRST, "an answer that does not decode leaves");
        return;
    }
    world_saw(world, INV_ON_DISK_FIRST);
    if (frame.kind != REQUEST_ACCEPTED && frame.kind != REQUEST_ANSWER)
        return;
    const struct asked *asked = referee_asked_of(world, frame.id);
    const struct answer_row *own = model_answer(world, frame.id), *row = own;
    if (frame.kind == REQUEST_ACCEPTED) {
        snprintf(job_id, sizeof job_id, "%.*s", (int)frame.body.len, frame.body.at);
        if (!answer_for_job(world, frame.id, job_id) || !model_job(world, job_id))
            referee_not_on_disk(world, "ACCEPTED", job_id);
    } else if (!own && referee_text(frame.body.at, frame.body.len, "job_id", job_id, sizeof job_id)) {
        row = answer_for_job(world, frame.id, job_id);
    }
    if (frame.kind == REQUEST_ANSWER && row && row->job_id[0])
        check_end_leaves(world, asked, row, &frame);
    if (asked && asked->call == CALL_CANCEL_JOB && frame.status == 200)
        check_cancel_leaves(world, &frame);
    if (asked && asked->call == CALL_IMPORT_CHAT)
        check_restore_leaves(world, asked, &frame);
    if (asked && asked->keyed && !own)
        check_keyed_leaves(world, asked, &frame);
}

/* ---- what arrives at the broker ---- */

void referee_call_arrives(struct world *world, const struct request_frame *frame)
{
    const struct answer_row *row = model_answer(world, frame->id);
    if (row)
        world_saw(world, INV_ONE_EFFECT);
    else if (frame->keyed && (row = model_answer(world, frame->key))) {
        const struct model_job *job = row->job_id[0] ? model_job(world, row->job_id) : NULL;
        world_saw(world, INV_ONE_KEY);
        if (job && !job_status_final(job->row.status))
            world_saw(world, INV_KEY_WAITS);
    }
    int chat = model_chat_any(world, frame->chat);
    if (chat >= 0 && frame->call == CALL_DELETE_CHAT)
        world->referee->delete_asked[chat] = true;
    if (chat >= 0 && frame->call == CALL_IMPORT_CHAT)
        world->referee->restore_asked[chat] = true;
}

/* ---- callers and publishers ---- */

void referee_asked(struct world *world, const struct asked *asked)
{
    struct asked *copy = malloc(sizeof *copy);
    if (!copy)
        abort();
    *copy = *asked;
    enum err err = strmap_put(world->referee->calls, copy->id, REQUEST_ID_LEN, copy, NULL);
    if (err != ERR_OK)
        abort();
}

void referee_accepted(struct world *world, const struct asked *asked, const char *job_id)
{
    world_saw(world, INV_JOB_KEPT);
    if (!answer_for_job(world, asked->id, job_id) || !model_job(world, job_id))
        world_fail(world, INV_JOB_KEPT, "accepted as %s, which is not on disk", job_id);
}

static void refused(struct world *world, const struct asked *asked, uint16_t status)
{
    const struct answer_row *row = model_answer(world, asked->id);
    world_saw(world, INV_REFUSED_NEVER);
    if (row)
        world_fail(world, INV_REFUSED_NEVER, "answered %u, but it was accepted before (job %s)", status, row->job_id);
    enum err err = strmap_put(world->referee->refused, asked->id, REQUEST_ID_LEN, world->referee, NULL);
    if (err != ERR_OK)
        abort();
}

static uint16_t end_status(const struct model_job *job)
{
    return job->row.status == JOB_COMPLETED ? 200 : job->row.status == JOB_CANCELLED ? 409 : 422;
}

static void check_run_answer(struct world *world, const struct answer_row *row, uint16_t status)
{
    const struct model_job *job = model_job(world, row->job_id);
    if (status == 202 || was_restored(world, row->job_id))
        return;
    if (job && job->gone && status == 404)
        return; /* the chat was deleted, and its jobs with it */
    bool same = job && (status == end_status(job) || (status == 500 && job->row.status == JOB_FAILED));
    if (!same)
        world_fail(world, INV_TRUE_ANSWER, "job %s is %s, its caller is told %u", row->job_id,
                   job ? job_status_name(job->row.status) : "unknown", status);
}

/* A call without an effect of its own: refused by a rule, or answered by what another request of its key did. */
static void check_other_answer(struct world *world, const struct asked *asked, const struct uplink_answer *answer)
{
    char job_id[JOB_ID_MAX + 1];
    const struct answer_row *row = NULL;
    if (referee_text(answer->body.at, answer->body.len, "job_id", job_id, sizeof job_id))
        row = answer_for_job(world, asked->id, job_id);
    if (row)
        check_run_answer(world, row, answer->status);
    else if (answer->status < 300 && !asked->keyed)
        world_fail(world, INV_TRUE_ANSWER, "%s is told %u, on disk is nothing", call_name(asked->call), answer->status);
}

void referee_answered(struct world *world, const struct asked *asked, const struct uplink_answer *answer)
{
    uint16_t status = answer->status;
    if (answer->own && answer->sent) { /* 504: nobody knows. Once nothing fails any more, that is no excuse */
        if (!asked->waits && world->calm && world->now_us - world->calm_us > PATIENCE_US)
            world_fail(world, INV_CALLER_ANSWERED, "%s of %s is never answered", call_name(asked->call),
                       model_chat_name(world, asked->chat));
        return;
    }
    if (!core_call_changes(asked->call) || status == 504)
        return;
    if (status == 503 || status == 507) {
        refused(world, asked, status);
        return;
    }
    world_saw(world, INV_TRUE_ANSWER);
    const struct answer_row *row = model_answer(world, asked->id);
    if (!row)
        check_other_answer(world, asked, answer);
    else if (row->job_id[0])
        check_run_answer(world, row, status);
    else if (row->status != status)
        world_fail(world, INV_TRUE_ANSWER, "%s is told %u, on disk is %u", call_name(asked->call), status, row->status);
}
