#include "referee_inside.h"

#include "event.h"
#include "json_scan.h"
#include "sim.h"
#include "strmap.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUIET_US (4 * INT64_C(1000000)) /* then what the last faults did is over */

enum err referee_new(struct referee **out)
{
    struct referee *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    enum err err = strmap_new(&self->refused);
    if (err == ERR_OK)
        err = strmap_new(&self->tokens);
    return err == ERR_OK ? strmap_new(&self->calls) : err;
}

void referee_free(struct referee **self_p)
{
    struct referee *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    size_t cursor = 0;
    void *asked;
    while (self->calls && strmap_next(self->calls, &cursor, NULL, NULL, &asked))
        free(asked);
    strmap_destroy(&self->refused);
    strmap_destroy(&self->tokens);
    strmap_destroy(&self->calls);
    free(self);
}

bool referee_text(const char *json, size_t len, const char *key, char *out, size_t size)
{
    struct json_members members;
    out[0] = '\0';
    return json_scan_object(json, len, &members, NULL) == ERR_OK &&
           json_member_plain_text(json_members_find(&members, key), out, size);
}

void referee_not_on_disk(struct world *world, const char *what, const char *which)
{
    world_fail(world, INV_ON_DISK_FIRST, "%s leaves, and the disk does not say so: %s", what, which);
}

static int number_of(struct world *world, const char *chat_id)
{
    int number = model_chat_any(world, chat_id);
    if (number < 0)
        world_fail(world, INV_TRUE_ANSWER, "a chat nobody asked for: %s", chat_id);
    return number;
}

/* ---- events on their way to the disk ---- */

static uint32_t step_index(const struct model_job *job, const char *step_id)
{
    uint32_t i = 0;
    while (i < job->row.total_steps && strcmp(job->steps[i].step_id, step_id) != 0)
        i++;
    return i;
}

/* Workers of this world write their token into every result. */
static void check_result(struct world *world, struct model_job *job, const struct event_row *row)
{
    struct json_members members, result;
    char step_id[ID_UUID_LEN + 1], by[64], now[64];
    if (json_scan_object(row->body, row->body_len, &members, NULL) != ERR_OK)
        return;
    const struct json_member *of = json_members_find(&members, "result");
    if (!json_member_plain_text(json_members_find(&members, "step_id"), step_id, sizeof step_id) || !of ||
        json_scan_object(of->value.at, of->value.len, &result, NULL) != ERR_OK ||
        !json_member_plain_text(json_members_find(&result, "by"), by, sizeof by)) {
        world_fail(world, INV_STALE_TOKEN, "a result without its token: %s", row->body);
        return;
    }
    snprintf(now, sizeof now, "%" PRIu64 ".%" PRIu64, job->row.token.term, job->row.token.counter);
    if (strcmp(by, now) != 0)
        world_fail(world, INV_STALE_TOKEN, "job %s is leased as %s, a result of %s is committed", job->row.job_id, now,
                   by);
    uint32_t i = step_index(job, step_id);
    if (i < 64 && (job->results >> i & 1))
        world_fail(world, INV_ONE_EFFECT, "step %u of job %s has a second result", i, job->row.job_id);
    job->results |= i < 64 ? (uint64_t)1 << i : 0;
}

static void check_job_event(struct world *world, const struct event_row *row)
{
    struct model_job *job = model_job(world, row->job_id);
    const struct event_type *type = event_type_find(row->type, strlen(row->type));
    if (!job || job->gone) {
        world_fail(world, INV_JOB_KEPT, "%s of a job that is not on record: %s", row->type, row->job_id);
        return;
    }
    if (job->restored && job->fresh)
        return; /* the dump's own, under stamps and tokens of before */
    if (job->ends > 0)
        world_fail(world, job->row.status == JOB_CANCELLED ? INV_CANCEL : INV_ONE_END,
                   "%s after the last word of job %s", row->type, row->job_id);
    bool quiet = world->calm && job->leases > 0 && job->first_lease_us > world->calm_us + QUIET_US;
    if (quiet && strstr(row->body, "The worker was lost"))
        world_fail(world, INV_TRUSTED, "no worker was lost, but job %s fails: %s", row->job_id, row->body);
    if (type && type->terminal) {
        job->ends++;
        job->touched = true;
        world_saw(world, INV_ONE_END);
    }
    if (strcmp(row->type, "step_result") == 0)
        check_result(world, job, row);
}

static void check_event(struct world *world, const struct event_row *row)
{
    int number = number_of(world, row->chat_id);
    if (number < 0)
        return;
    const struct model_chat *chat = model_chat(world, number);
    if (!chat->exists || row->seq != chat->history->count + 1) {
        world_fail(world, INV_DENSE, "seq %" PRIu64 " of %s follows %zu%s", row->seq, row->chat_id,
                   chat->history ? chat->history->count : 0, chat->exists ? "" : " of a chat without record");
        return;
    }
    world_saw(world, INV_DENSE);
    world->tally->events++;
    for (size_t i = chat->history->trimmed; row->event_id && row->event_id[0] && i < chat->history->count; i++)
        if (strcmp(chat->history->events[i].event_id, row->event_id) == 0)
            world_fail(world, INV_ONE_EFFECT, "event_id %s is on record twice", row->event_id);
    if (row->job_id[0])
        check_job_event(world, row);
}

/* ---- jobs on their way to the disk ---- */

static void check_turn(struct world *world, const struct job_row *row)
{
    bool waiting = false;
    for (const struct model_job *job = model_jobs(world); job; job = job->next) {
        if (job->gone || strcmp(job->row.chat_id, row->chat_id) != 0 || strcmp(job->row.job_id, row->job_id) == 0)
            continue;
        if (job->row.status == JOB_RUNNING)
            world_fail(world, INV_ONE_AT_A_TIME, "%s starts while %s runs", row->job_id, job->row.job_id);
        bool before = job->row.submitted_us < row->submitted_us;
        if (before && !job_status_final(job->row.status))
            world_fail(world, INV_IN_ORDER, "%s starts before %s has ended", row->job_id, job->row.job_id);
        if (before)
            world_saw(world, INV_IN_ORDER);
        waiting |= !before;
    }
    if (waiting)
        world_saw(world, INV_ONE_AT_A_TIME);
}

static void check_token(struct world *world, struct model_job *job, const struct job_row *row)
{
    if (memcmp(&job->row.token, &row->token, sizeof row->token) == 0) {
        if (row->status == JOB_RUNNING && row->attempts > job->row.attempts)
            world_fail(world, INV_ONE_TOKEN, "job %s is leased again under token %" PRIu64 ".%" PRIu64, row->job_id,
                       row->token.term, row->token.counter);
        return;
    }
    struct model_job *holder = strmap_get(world->referee->tokens, &row->token, sizeof row->token);
    if (holder || !model_token_before(job->row.token, row->token))
        world_fail(world, INV_ONE_TOKEN, "token %" PRIu64 ".%" PRIu64 " of %s is not a new one", row->token.term,
                   row->token.counter, row->job_id);
    enum err err = strmap_put(world->referee->tokens, &row->token, sizeof row->token, job, NULL);
    if (err != ERR_OK)
        abort();
    if (job->leases == 0)
        job->first_lease_us = world->now_us;
    if (job->leases++ > 0)
        world_saw(world, INV_ONE_TOKEN);
}

static void check_job(struct world *world, const struct job_row *row)
{
    struct model_job *job = model_job(world, row->job_id);
    int number = model_chat_any(world, row->chat_id);
    bool restore = number >= 0 && world->referee->restore_asked[number] && job_status_final(row->status);
    if (!job || (job->gone && restore)) {
        if (row->status != JOB_PENDING && !restore)
            world_fail(world, INV_JOB_KEPT, "job %s begins as %s", row->job_id, job_status_name(row->status));
        world->tally->jobs++;
        return;
    }
    if (job->gone)
        world_fail(world, INV_JOB_KEPT, "job %s of a deleted chat is written", row->job_id);
    if (job_status_final(job->row.status) && row->status != job->row.status)
        world_fail(world, job->row.status == JOB_CANCELLED ? INV_CANCEL : INV_ONE_END, "job %s was %s and becomes %s",
                   row->job_id, job_status_name(job->row.status), job_status_name(row->status));
    if (row->status == JOB_CANCELLED && job->row.status == JOB_RUNNING)
        world_saw(world, INV_CANCEL);
    if (row->status == JOB_RUNNING && job->row.status != JOB_RUNNING)
        check_turn(world, row);
    check_token(world, job, row);
}

/* A run whose spool was lost goes a step back: that step may have another result. */
static void check_step(struct world *world, const struct step_row *row)
{
    struct model_job *job = model_job(world, row->job_id);
    if (!job)
        world_fail(world, INV_JOB_KEPT, "a step of no job: %s", row->job_id);
    else if (row->status == STEP_PENDING && row->index < 64)
        job->results &= ~((uint64_t)1 << row->index);
}

/* A chat whose name the broker made up: it comes into being with the answer that tells its name. */
static void check_made_chat(struct world *world, const struct chat_row *row)
{
    int number = CHATS;
    while (number < ALL_CHATS && model_chat(world, number)->exists)
        number++;
    if (number == ALL_CHATS)
        world_fail(world, INV_ONE_KEY, "more chats than were asked for: %s", row->chat_id);
}

static void check_chat(struct world *world, const struct chat_row *row)
{
    int number = model_chat_any(world, row->chat_id);
    if (number < 0) {
        check_made_chat(world, row);
        return;
    }
    const struct model_chat *chat = model_chat(world, number);
    if (chat->exists && strcmp(chat->row.epoch, row->epoch) != 0)
        world_fail(world, INV_RESET_TOLD, "the epoch of %s changes while it lives", row->chat_id);
    if (!chat->exists && model_history(world, row->chat_id, row->epoch))
        world_fail(world, INV_RESET_TOLD, "%s gets an epoch it had before", row->chat_id);
    if (row->epoch[0] == '\0')
        world_fail(world, INV_RESET_TOLD, "%s is written without an epoch", row->chat_id);
}

static void check_answer(struct world *world, const struct answer_row *row)
{
    if (row->keyed && model_answer(world, row->request_id))
        world_fail(world, INV_ONE_KEY, "a key is used for a second time (status %u, job %s)", row->status, row->job_id);
    else if (model_answer(world, row->request_id))
        world_fail(world, INV_ONE_EFFECT, "a request that was carried out is carried out again (status %u, job %s)",
                   row->status, row->job_id);
    if (strmap_get(world->referee->refused, row->request_id, REQUEST_ID_LEN))
        world_fail(world, INV_REFUSED_NEVER, "a request that was refused is carried out (status %u, job %s)",
                   row->status, row->job_id);
}

void referee_room_old(struct world *world, int chat)
{
    world->referee->old_history[chat] = model_chat(world, chat)->history;
    world->referee->old_head[chat] = model_chat(world, chat)->row.head;
}

static void check_room_goes(struct world *world, int number)
{
    const struct model_chat *chat = model_chat(world, number);
    world_saw(world, INV_ROOM_GOES);
    if (world->referee->old_history[number] != chat->history || world->referee->old_head[number] != chat->row.head)
        world_fail(world, INV_ROOM_GOES, "room %s goes at seq %" PRIu64 ", it was old at %" PRIu64, chat->row.chat_id,
                   chat->row.head, world->referee->old_head[number]);
}

static void check_delete(struct world *world, const char *chat_id)
{
    int number = number_of(world, chat_id);
    if (number < 0)
        return;
    if (model_chat(world, number)->row.room && !world->referee->restore_asked[number])
        check_room_goes(world, number);
    else if (!world->referee->delete_asked[number] && !world->referee->restore_asked[number])
        world_fail(world, INV_JOB_KEPT, "%s is deleted though nobody asked", chat_id);
    for (const struct model_job *job = model_jobs(world); job; job = job->next)
        if (!job->gone && strcmp(job->row.chat_id, chat_id) == 0 && !job_status_final(job->row.status))
            world_fail(world, INV_ONE_END, "%s is deleted while job %s has not ended", chat_id, job->row.job_id);
}

void referee_change(struct world *world, const struct change *change)
{
    switch (change->kind) {
    case CHANGE_CHAT_PUT: check_chat(world, &change->of.chat); break;
    case CHANGE_CHAT_DELETE: check_delete(world, change->of.chat.chat_id); break;
    case CHANGE_JOB_PUT: check_job(world, &change->of.job); break;
    case CHANGE_EVENT_ADD: check_event(world, &change->of.event); break;
    case CHANGE_ANSWER_PUT: check_answer(world, &change->of.answer); break;
    case CHANGE_STEP_PUT: check_step(world, &change->of.step); break;
    case CHANGE_MESSAGE_ADD:
    case CHANGE_FILE_ADD:
    case CHANGE_GARBAGE_ADD: break;
    }
}

static bool key_was_written(const struct world *world, const struct asked *asked)
{
    for (const struct model_answer *at = model_answers(world); at; at = at->next)
        if (at->commit == model_commits(world) && referee_of_key(at, asked))
            return true;
    return false;
}

/* What was done under a key is on disk with it. */
static void check_keys(struct world *world)
{
    const struct model_answer *at = model_answers(world);
    for (; at && at->commit == model_commits(world); at = at->next) {
        const struct asked *asked = referee_asked_of(world, at->row.request_id);
        if (asked && asked->keyed && !at->row.keyed && !key_was_written(world, asked))
            world_fail(world, INV_ONE_KEY, "a keyed request is on disk without its key (status %u, job %s)",
                       at->row.status, at->row.job_id);
    }
}

/* A job and its last word, a job and the request it came from: one transaction. */
void referee_committed(struct world *world)
{
    world->tally->commits++;
    check_keys(world);
    for (struct model_job *job = model_jobs(world); job; job = job->next) {
        if (!job->touched)
            continue;
        job->touched = false;
        if (job->restored)
            job->ends = 1; /* retention may have taken its last word from the dump */
        if (job_status_final(job->row.status) != (job->ends > 0))
            world_fail(world, INV_ONE_END, "job %s is %s with %u terminal events", job->row.job_id,
                       job_status_name(job->row.status), job->ends);
        if (job->fresh && !job->has_answer && !job->restored)
            world_fail(world, INV_ONE_EFFECT, "job %s is on disk without its request id", job->row.job_id);
        job->fresh = false;
    }
    for (int i = 0; i < ALL_CHATS; i++) {
        const struct model_chat *chat = model_chat(world, i);
        if (i >= CHATS && chat->exists && !chat->answered)
            world_fail(world, INV_ONE_EFFECT, "chat %s is on disk without its request", chat->id);
        if (chat->exists && chat->row.head != chat->history->count)
            world_fail(world, INV_DENSE, "%s has head %" PRIu64 " and %zu events", chat->row.chat_id, chat->row.head,
                       chat->history->count);
    }
}

/* ---- what leaves ---- */

static void check_event_leaves(struct world *world, const struct feed_record *record)
{
    char chat[ID_CHAT_MAX + 1], epoch[EPOCH_MAX], body[2 * SIM_EVENT_BYTES];
    snprintf(chat, sizeof chat, "%.*s", (int)record->chat.len, record->chat.at);
    snprintf(body, sizeof body, "%.*s", (int)record->body.len, record->body.at);
    referee_text(record->body.at, record->body.len, "epoch", epoch, sizeof epoch);
    const struct model_history *history = model_history(world, chat, epoch);
    if (!history || record->seq == 0 || record->seq > history->count ||
        strcmp(history->events[record->seq - 1].body, body) != 0)
        referee_not_on_disk(world, "an event", body);
}

static void check_place_leaves(struct world *world, const struct feed_record *record)
{
    char chat[ID_CHAT_MAX + 1], epoch[EPOCH_MAX];
    snprintf(chat, sizeof chat, "%.*s", (int)record->chat.len, record->chat.at);
    snprintf(epoch, sizeof epoch, "%.*s", (int)record->epoch.len, record->epoch.at);
    if (!epoch[0])
        return;
    const struct model_history *history = model_history(world, chat, epoch);
    if (!history || record->head > history->count || record->seq > record->head)
        referee_not_on_disk(world, "a place in the record", epoch);
}

static struct link_seen *link_of(struct referee *self, uint64_t link)
{
    for (size_t i = self->link_count; i > 0; i--)
        if (self->links[i - 1].link == link)
            return &self->links[i - 1];
    if (self->link_count == LINKS_MAX)
        self->link_count = 0;
    struct link_seen *seen = &self->links[self->link_count++];
    *seen = (struct link_seen){.link = link};
    return seen;
}

static void check_record(struct world *world, struct link_seen *seen, const struct feed_record *record)
{
    char job[JOB_ID_MAX + 1], type[64];
    world_saw(world, INV_ON_DISK_FIRST);
    switch (record->kind) {
    case FEED_ATTACHED:
    case FEED_RESET: check_place_leaves(world, record); break;
    case FEED_REPLAY: check_event_leaves(world, record); break;
    case FEED_EVENT:
        check_event_leaves(world, record);
        referee_text(record->body.at, record->body.len, "type", type, sizeof type);
        if (strcmp(type, "step_result") == 0 &&
            referee_text(record->body.at, record->body.len, "job_id", job, sizeof job)) {
            world_saw(world, INV_CLOSING_FIRST);
            if (!seen->closing)
                world_fail(world, INV_CLOSING_FIRST, "seq %" PRIu64 " of job %s leaves without it", record->seq, job);
        }
        break;
    case FEED_LIVE:
    case FEED_PROGRESS: break;
    }
    seen->closing = record->kind == FEED_PROGRESS && record->closing;
}

static void check_feed(struct world *world, const struct effect *effect)
{
    struct feed_batch batch;
    struct unpack rest;
    struct link_seen *seen = link_of(world->referee, effect->link);
    enum err err = feed_batch_read(&batch, &rest, effect->bytes.data, effect->bytes.len);
    for (uint32_t i = 0; err == ERR_OK && i < batch.count; i++) {
        struct feed_record record;
        err = feed_record_read(&record, &rest);
        if (err == ERR_OK)
            check_record(world, seen, &record);
    }
    if (err != ERR_OK)
        world_fail(world, INV_ON_DISK_FIRST, "a batch that does not decode leaves");
}

static void check_ack(struct world *world, const struct work_frame *frame)
{
    const struct model_job *job = strmap_get(world->referee->tokens, &frame->token, sizeof frame->token);
    bool on_disk = job && (job->row.token.counter != frame->token.counter || job->row.token.term != frame->token.term ||
                           job->row.last_number >= frame->number);
    if (!on_disk)
        referee_not_on_disk(world, "an ACK", job ? job->row.job_id : "no job");
}

static void check_lease(struct world *world, const struct work_frame *frame)
{
    struct json_members members;
    int64_t first = -1;
    const struct model_job *job = strmap_get(world->referee->tokens, &frame->token, sizeof frame->token);
    if (!job) {
        referee_not_on_disk(world, "a lease", "its token was never on disk");
        return;
    }
    if (json_scan_object(frame->body.at, frame->body.len, &members, NULL) == ERR_OK)
        json_member_int(json_members_find(&members, "first_step"), &first);
    int64_t kept = 0;
    while (kept < job->row.total_steps && job->steps[kept].status == STEP_COMPLETED)
        kept++;
    if (first != kept)
        world_fail(world, INV_GOES_ON, "job %s goes on at step %" PRId64 ", kept are %" PRId64, job->row.job_id, first,
                   kept);
    if (kept > 0)
        world_saw(world, INV_GOES_ON);
}

/* Workers of this world tell the truth, in order. */
static void check_revoke(struct world *world, const struct work_frame *frame)
{
    static const char liar[] = "The event does not fit the job";
    world_saw(world, INV_TRUSTED);
    if (frame->body.len == sizeof liar - 1 && memcmp(frame->body.at, liar, sizeof liar - 1) == 0)
        world_fail(world, INV_TRUSTED, "token %" PRIu64 ".%" PRIu64 " is revoked: %s", frame->token.term,
                   frame->token.counter, liar);
}

static void check_work(struct world *world, const struct effect *effect)
{
    static struct work_frame frame;
    if (work_frame_read(&frame, effect->bytes.data, effect->bytes.len) != ERR_OK)
        world_fail(world, INV_ON_DISK_FIRST, "a work frame that does not decode leaves");
    else if (frame.kind == WORK_ACK)
        check_ack(world, &frame);
    else if (frame.kind == WORK_JOB)
        check_lease(world, &frame);
    else if (frame.kind == WORK_REVOKE)
        check_revoke(world, &frame);
    world_saw(world, INV_ON_DISK_FIRST);
}

void referee_leaves(struct world *world, const struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_ANSWER: referee_answer_leaves(world, effect); break;
    case EFFECT_FEED: check_feed(world, effect); break;
    case EFFECT_WORK: check_work(world, effect); break;
    case EFFECT_QUERY: referee_query_leaves(world, effect->query); break;
    case EFFECT_PUBLISHED:
    case EFFECT_TAP:
    case EFFECT_SWEEP:
    case EFFECT_NOTE: break;
    }
}

/* ---- what arrives at the broker ---- */

void referee_work_arrives(struct world *world, const struct work_frame *frame)
{
    const struct model_job *job = strmap_get(world->referee->tokens, &frame->token, sizeof frame->token);
    if (frame->kind == WORK_EVENT && job && memcmp(&job->row.token, &frame->token, sizeof frame->token) != 0)
        world_saw(world, INV_STALE_TOKEN);
}

/* ---- publishers ---- */

void referee_refuses_event(struct world *world, const struct event_name *event)
{
    uint64_t seq;
    if (event->event_id[0] && model_event(world, event->chat, event->event_id, &seq))
        world_fail(world, INV_REFUSED_NEVER, "event %s is refused, on disk it is seq %" PRIu64 " of %s",
                   event->event_id, seq, event->chat);
}

void referee_published(struct world *world, int chat, const char *event_id, uint64_t seq)
{
    world_saw(world, INV_EVENT_KEPT);
    for (const struct model_history *history = model_histories(world); history; history = history->next)
        if (strcmp(history->chat_id, world_chats[chat]) == 0 && seq >= 1 && seq <= history->count &&
            strcmp(history->events[seq - 1].event_id, event_id) == 0)
            return;
    world_fail(world, INV_EVENT_KEPT, "%s was acknowledged as seq %" PRIu64 " of %s, which it is not", event_id, seq,
               world_chats[chat]);
}

/* ---- the end ---- */

static const char *still(struct referee *self, enum invariant blame, const char *what, const char *which)
{
    self->blame = blame;
    snprintf(self->open, sizeof self->open, "%s: %s", what, which);
    return self->open;
}

static const struct model_job *open_job(const struct world *world)
{
    const struct model_job *job = model_jobs(world);
    while (job && (job->gone || job_status_final(job->row.status)))
        job = job->next;
    return job;
}

void referee_count_open(struct world *world)
{
    enum invariant blame;
    for (const struct model_job *job = model_jobs(world); job; job = job->next)
        if (!job->gone && !job_status_final(job->row.status))
            world_saw(world, INV_RUN_ENDS);
    for (int i = 0; i < CLIENTS; i++)
        if (sim_client_behind(world, i, &blame))
            world_saw(world, INV_CLIENT_CATCHES_UP);
    for (int i = 0; i < CALLERS; i++)
        if (!sim_caller_idle(world, i))
            world_saw(world, INV_CALLER_ANSWERED);
}

static const char *leaks(struct world *world)
{
    static char text[200];
    const struct core *core = sim_broker_core(world);
    uint64_t slots = 0;
    size_t held = 0;
    for (int i = 0; i < WORKERS; i++) {
        slots += sim_worker_slots(world, i);
        held += sim_worker_held(world, i);
    }
    struct core_counts counts = core ? core_count(core) : (struct core_counts){0};
    snprintf(text, sizeof text,
             "%" PRIu64 " of %" PRIu64 " slots are free, %zu leases held, %" PRIu64 " jobs in memory, %" PRIu64
             " links of %d",
             counts.free_slots, slots, held, counts.open_jobs, counts.links, GATEWAYS);
    bool clean = core && counts.free_slots == slots && held == 0 && counts.open_jobs == 0 && counts.links == GATEWAYS;
    return clean ? NULL : text;
}

const char *referee_open(struct world *world)
{
    struct referee *self = world->referee;
    const struct model_job *job = open_job(world);
    if (job)
        return still(self, INV_RUN_ENDS, job->row.job_id, job_status_name(job->row.status));
    for (int i = 0; i < CALLERS; i++)
        if (!sim_caller_idle(world, i))
            return still(self, INV_CALLER_ANSWERED, "a caller", "waits");
    for (int i = 0; i < PUBLISHERS; i++)
        if (!sim_publisher_idle(world, i))
            return still(self, INV_CALLER_ANSWERED, "a publisher", "waits");
    for (int i = 0; i < CLIENTS; i++) {
        enum invariant blame;
        const char *behind = sim_client_behind(world, i, &blame);
        if (behind)
            return still(self, blame, "a client", behind);
    }
    const char *leak = leaks(world);
    return leak ? still(self, INV_NOTHING_LEAKS, "not as at the start", leak) : NULL;
}

void referee_blame(struct world *world, const char *open)
{
    world_fail(world, world->referee->blame, "%s", open);
}

void referee_last_look(struct world *world)
{
    world_saw(world, INV_NOTHING_LEAKS);
}
