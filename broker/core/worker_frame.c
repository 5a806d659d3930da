/* What workers say on :5564. A worker is trusted to run steps, not to be right: what does not fit the job it holds
 * costs it the lease and changes nothing else. */
#include "core/execution.h"
#include "core/handlers.h"
#include "core/lease.h"
#include "core/note.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS_MAX 10000 /* known at a time; beyond: not welcomed */

/* ---- HELLO, BEAT, BYE ---- */

static void welcome(struct core *core, const struct peer *peer)
{
    struct effect *effect = core_effect(core, EFFECT_WORK);
    if (!effect)
        return;
    effect->peer = *peer;
    struct work_frame frame = {.kind = WORK_WELCOME,
                               .term = core->term,
                               .lease_ms = (uint32_t)core->settings.lease_ms,
                               .beat_ms = (uint32_t)core->settings.beat_ms};
    enum err err = work_frame_write(&frame, &effect->bytes);
    if (err != ERR_OK)
        core_fail(core, err);
}

static bool names_token(const struct work_frame *frame, const struct token *token)
{
    for (uint32_t i = 0; i < frame->token_count; i++)
        if (frame->tokens[i].term == token->term && frame->tokens[i].counter == token->counter)
            return true;
    return false;
}

/* Renews what is valid, revokes the rest. */
static void renew_named(struct core *core, const struct peer *peer, struct worker *worker,
                        const struct work_frame *frame)
{
    for (uint32_t i = 0; i < frame->token_count; i++) {
        struct job *job = lease_find(core, &frame->tokens[i]);
        if (job)
            lease_renew(core, job, worker);
        else
            lease_revoke(core, peer, &frame->tokens[i], "The lease is not valid any more");
    }
}

/* Leases of this worker the frame does not name are lost: it started anew. One that drains hands them back. */
static void drop_unnamed(struct core *core, const struct worker *worker, const struct work_frame *frame)
{
    struct job *next;
    for (struct job *job = core->active; job; job = next) {
        next = job->active_next;
        if (job->worker != worker || job->phase != JOB_LEASED || names_token(frame, &job->token))
            continue;
        if (worker->draining)
            lease_back(core, job);
        else
            lease_lost(core, job, "The worker was lost");
    }
}

static void set_credit(struct worker *worker, const struct work_frame *frame)
{
    uint32_t left = frame->slots > worker->leased ? frame->slots - worker->leased : 0;
    worker->slots = frame->slots;
    worker->free_slots = frame->free_slots < left ? frame->free_slots : left;
}

/* NULL: too many workers, or no memory. */
static struct worker *find_or_add(struct core *core, const char *id)
{
    struct worker *worker = roster_find(core, id);
    if (worker)
        return worker;
    if (strmap_count(core->workers) >= WORKERS_MAX) {
        core->frames_refused++;
        return NULL;
    }
    note_write(core, false, "worker joined", NULL, id, NULL);
    return roster_add(core, id);
}

static void hear(struct core *core, struct worker *worker, const struct peer *peer, const struct work_frame *frame)
{
    worker->peer = *peer;
    worker->heard_ms = core->now.mono_ms;
    renew_named(core, peer, worker, frame);
    set_credit(worker, frame);
}

static void hello(struct core *core, const struct peer *peer, const struct work_frame *frame)
{
    struct worker *worker = find_or_add(core, frame->worker);
    if (!worker)
        return;
    drop_unnamed(core, worker, frame);
    worker->draining = false;
    welcome(core, peer);
    hear(core, worker, peer, frame);
}

/* A BEAT says all a HELLO says: a worker this memory does not know is taken at its word, and told the term. A draining
 * worker's BEAT names all it still finishes. */
static void beat(struct core *core, const struct peer *peer, const struct work_frame *frame)
{
    bool known = roster_find(core, frame->worker) != NULL;
    struct worker *worker = find_or_add(core, frame->worker);
    if (!worker)
        return;
    if (!known)
        welcome(core, peer);
    if (worker->draining)
        drop_unnamed(core, worker, frame);
    hear(core, worker, peer, frame);
}

/* It takes no more jobs. What it holds it finishes, unless it says BYE again: then it is gone, and what it held goes on
 * elsewhere at once. */
static void bye(struct core *core, const struct work_frame *frame)
{
    struct worker *worker = roster_find(core, frame->worker);
    if (!worker)
        return;
    if (worker->draining)
        drop_unnamed(core, worker, frame);
    if (!worker->draining)
        note_write(core, false, "worker drains", NULL, worker->id, NULL);
    worker->draining = true;
    worker->free_slots = 0;
}

/* ---- EVENT ---- */

/* An event's two bodies, read. */
struct told {
    struct json_members event, detail;
};

static bool read_told(const struct work_frame *frame, struct told *out)
{
    return json_scan_object(frame->event.at, frame->event.len, &out->event, NULL) == ERR_OK &&
           json_scan_object(frame->body.at, frame->body.len, &out->detail, NULL) == ERR_OK;
}

/* The step an event is about must be the one the job is at. */
static bool step_of(const struct job *job, const struct told *told, uint32_t *out)
{
    char id[ID_UUID_LEN + 1];
    int64_t index;
    int found = -1;
    if (json_member_int(json_members_find(&told->detail, "index"), &index))
        found = index >= 0 && index < job->step_count ? (int)index : -1;
    else if (json_member_plain_text(json_members_find(&told->event, "step_id"), id, sizeof id))
        found = job_find_step(job, id);
    *out = (uint32_t)found;
    return found >= 0 && (uint32_t)found == job_next_step(job);
}

static bool step_started(struct core *core, struct job *job, const struct told *told)
{
    uint32_t i;
    bool fits = step_of(job, told, &i);
    if (fits)
        execution_step_started(core, job, i, &told->event);
    return fits;
}

static bool progress(struct core *core, struct job *job, const struct told *told)
{
    uint32_t i;
    if (step_of(job, told, &i))
        execution_progress(core, job, i, &told->event);
    return true;
}

struct told_file {
    char name[256], key[320];
    int64_t bytes;
};

/* A member that is {LABEL: name, "key", "bytes"}; false: absent or not of that shape. */
static bool read_file(const struct json_members *detail, const char *member, const char *label, struct told_file *out)
{
    const struct json_member *found = json_members_find(detail, member);
    struct json_members file;
    if (!found || found->kind != JSON_KIND_OBJECT ||
        json_scan_object(found->value.at, found->value.len, &file, NULL) != ERR_OK)
        return false;
    json_member_int(json_members_find(&file, "bytes"), &out->bytes);
    return json_member_plain_text(json_members_find(&file, label), out->name, sizeof out->name) &&
           json_member_plain_text(json_members_find(&file, "key"), out->key, sizeof out->key) && out->name[0] &&
           out->key[0] && out->bytes >= 0;
}

/* The inside of an object: what stands between its brackets. Owned by the caller; NULL without memory. */
static char *inside(struct core *core, const struct json_member *object)
{
    if (!object || object->kind != JSON_KIND_OBJECT)
        return core_copy_text(core, "");
    char *text = core_alloc(core, object->value.len);
    if (text)
        memcpy(text, object->value.at + 1, object->value.len - 2);
    bool blank = text && strspn(text, " \t\r\n") == strlen(text);
    if (blank)
        text[0] = '\0';
    return text;
}

static bool step_done(struct core *core, struct job *job, const struct told *told)
{
    uint32_t i;
    if (!step_of(job, told, &i))
        return false;
    char stem[256] = "";
    struct told_file file = {.bytes = 0}, spool = {.bytes = 0}, large = {.bytes = 0};
    bool has_file = read_file(&told->detail, "file", "name", &file);
    bool has_spool = read_file(&told->detail, "spool", "name", &spool);
    bool is_large = read_file(&told->detail, "result_file", "member", &large);
    bool stemmed = json_member_plain_text(json_members_find(&told->detail, "stem_of"), stem, sizeof stem) && stem[0];
    char *result = inside(core, json_members_find(&told->detail, "result"));
    if (result)
        execution_step_done(core, job, i,
                            &(struct step_outcome){.file_name = has_file ? file.name : NULL,
                                                   .file_key = has_file ? file.key : NULL,
                                                   .file_bytes = (uint64_t)file.bytes,
                                                   .spool_key = has_spool ? spool.key : NULL,
                                                   .result_member = is_large ? large.name : NULL,
                                                   .result_key = is_large ? large.key : NULL,
                                                   .result_bytes = (uint64_t)large.bytes,
                                                   .stem_of = stemmed ? stem : NULL,
                                                   .result = result});
    free(result);
    return true;
}

/* The reason may hold escapes: it is read as JSON, once a failed run. */
static void read_message(const struct json_members *detail, char *out, size_t size)
{
    const struct json_member *member = json_members_find(detail, "message");
    json_t *text = member ? json_loadb(member->value.at, member->value.len, JSON_DECODE_ANY, NULL) : NULL;
    const char *value = json_string_value(text);
    snprintf(out, size, "%s", value && value[0] ? value : "The step failed without a reason");
    json_decref(text);
}

static bool step_failed(struct core *core, struct job *job, const struct told *told)
{
    uint32_t i;
    if (!step_of(job, told, &i))
        return false;
    char kind[16] = "", message[4 * FAULT_TEXT_MAX];
    int64_t percent;
    if (json_member_int(json_members_find(&told->event, "progress"), &percent) && percent > job->steps[i].progress &&
        percent <= 99)
        job->steps[i].progress = (uint32_t)percent; /* a memory that was built anew has not seen how far it came */
    read_message(&told->detail, message, sizeof message);
    json_member_plain_text(json_members_find(&told->detail, "kind"), kind, sizeof kind);
    if (strcmp(kind, "lost") == 0)
        lease_lost(core, job, message);
    else if (strcmp(kind, "input") != 0 || !lease_set_back(core, job, message))
        execution_fail(core, job, message, strcmp(kind, "user") != 0);
    return true;
}

static bool run_done(struct core *core, struct job *job, const struct told *told)
{
    (void)told;
    bool all = job_next_step(job) == job->step_count;
    if (all)
        execution_complete(core, job);
    return all;
}

/* false: the event does not fit the job. The job may be gone afterwards. */
static bool (*const events[])(struct core *core, struct job *job, const struct told *told) = {
    [WORK_STEP_STARTED] = step_started, [WORK_PROGRESS] = progress, [WORK_STEP_DONE] = step_done,
    [WORK_STEP_FAILED] = step_failed,   [WORK_RUN_DONE] = run_done,
};

static void acknowledge(struct core *core, const struct peer *peer, const struct work_frame *event)
{
    struct effect *effect = core_effect(core, EFFECT_WORK);
    if (!effect)
        return;
    effect->peer = *peer;
    struct work_frame frame = {.kind = WORK_ACK, .token = event->token, .number = event->number};
    enum err err = work_frame_write(&frame, &effect->bytes);
    if (err != ERR_OK)
        core_fail(core, err);
}

static void handle_event(struct core *core, struct job *job, const struct peer *peer, const struct work_frame *frame)
{
    bool state = frame->what == WORK_PROGRESS;
    struct told told;
    job->unheard = false;
    if (!state) {
        job->last_number = frame->number; /* goes to disk with what the event changes */
        job_put(core, job);
    }
    bool fits = read_told(frame, &told) && events[frame->what](core, job, &told);
    if (fits && !state)
        acknowledge(core, peer, frame);
    if (fits)
        return;
    core->frames_refused++;
    lease_revoke(core, peer, &frame->token, "The event does not fit the job");
    lease_lost(core, job, "The worker broke the protocol");
}

static void event(struct core *core, const struct peer *peer, const struct work_frame *frame)
{
    struct job *job = lease_find(core, &frame->token);
    if (!job) {
        lease_revoke(core, peer, &frame->token, "The lease is not valid any more");
        return;
    }
    lease_renew(core, job, job->worker);                               /* whoever reports is alive */
    uint64_t next = job->last_number + (frame->what != WORK_PROGRESS); /* progress carries the number before it */
    if (frame->number == next)
        handle_event(core, job, peer, frame);
    else if (frame->number < next && frame->what != WORK_PROGRESS)
        acknowledge(core, peer, frame); /* on disk already; beyond a hole: not taken, it comes again */
}

void handle_work(struct core *core, const struct input *input)
{
    const struct work_frame *frame = input->of.work;
    switch (frame->kind) {
    case WORK_HELLO: hello(core, &input->peer, frame); break;
    case WORK_BEAT: beat(core, &input->peer, frame); break;
    case WORK_EVENT: event(core, &input->peer, frame); break;
    case WORK_BYE: bye(core, frame); break;
    case WORK_WELCOME:
    case WORK_JOB:
    case WORK_ACK:
    case WORK_REVOKE: core->frames_refused++; break;
    }
}
