/* CALL_CANCEL_JOB and CALL_RETRY_JOB. Of two ends of a run that race, the one decided first wins, and the other is told
 * so. A retry is a run of its own: the one it repeats has had its last word. */
#include "core/call.h"
#include "core/compose.h"
#include "core/execution.h"

#include <stdio.h>
#include <string.h>

#define NO_CHAT   "Conversation not found"
#define NO_JOB    "Job not found"
#define CANCELLED "Workflow cancelled"

static bool read_job_id(const struct request_frame *frame, char out[JOB_ID_MAX + 1])
{
    struct json_members body;
    return json_scan_object(frame->body.at, frame->body.len, &body, NULL) == ERR_OK &&
           json_member_plain_text(json_members_find(&body, "job_id"), out, JOB_ID_MAX + 1) && out[0];
}

bool call_past_job(const struct request_frame *frame, char job_id[JOB_ID_MAX + 1])
{
    return (frame->call == CALL_CANCEL_JOB || frame->call == CALL_RETRY_JOB) && read_job_id(frame, job_id);
}

/* NULL: the call is answered. */
static struct job *find(struct core *core, const struct ask *ask, struct chat *chat)
{
    char id[JOB_ID_MAX + 1];
    if (!chat || !chat->exists || chat->room) {
        answer_refuse(core, ask, 404, NO_CHAT);
        return NULL;
    }
    bool named = read_job_id(ask->frame, id);
    struct job *job = named ? job_find_open(chat, id) : NULL;
    if (!job && named && chat->newest && strcmp(chat->newest->id, id) == 0)
        job = chat->newest;
    if (!job && named && core->past && strcmp(core->past->id, id) == 0)
        job = core->past;
    if (!job)
        answer_refuse(core, ask, 404, NO_JOB);
    if (!job || job != core->past || job_status_final(job->status))
        return job;
    /* Memory knows every run that is open: this one ended in the running turn, which the record cannot show yet. */
    answer_refuse(core, ask, 409, "The job has just ended");
    return NULL;
}

void cancel_handle(struct core *core, const struct ask *ask, struct chat *chat)
{
    struct job *job = find(core, ask, chat);
    if (!job)
        return;
    if (job_status_final(job->status)) {
        char text[100];
        snprintf(text, sizeof text, "The job has already ended: it is %s", job_status_name(job->status));
        answer_refuse(core, ask, 409, text);
        return;
    }
    execution_cancel(core, job, CANCELLED);
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_text(&body, "job_id", job->id);
    compose_text(&body, "status", job_status_name(job->status));
    compose_plain(&body, "}");
    if (body.err == ERR_OK)
        answer_keep(core, ask, 200, CANCELLED, (struct bytes){body.buf.data, body.buf.len}, "");
    else
        core_fail(core, body.err);
    compose_fini(&body);
}

/* ---- retry ---- */

enum from { FROM_FAILED, FROM_START, FROM_WRONG };

static enum from read_from(const struct ask *ask)
{
    char text[16];
    struct json_members body;
    if (json_scan_object(ask->frame->body.at, ask->frame->body.len, &body, NULL) != ERR_OK)
        return FROM_WRONG;
    const struct json_member *member = json_members_find(&body, "from");
    if (!member)
        return FROM_FAILED;
    if (!json_member_plain_text(member, text, sizeof text))
        return FROM_WRONG;
    return strcmp(text, "failed") == 0 ? FROM_FAILED : strcmp(text, "start") == 0 ? FROM_START : FROM_WRONG;
}

/* A step that was finished stays so, and what it kept for the next one changes hands: each spool has one owner. */
static void take_over(struct core *core, struct job *job, struct job *old, uint32_t i)
{
    struct step *step = &job->steps[i], *from = &old->steps[i];
    step->status = STEP_COMPLETED;
    step->progress = 100;
    step->started_us = from->started_us;
    step->completed_us = from->completed_us;
    job_set_text(core, &step->output_file, from->output_file);
    job_set_text(core, &step->result, from->result);
    job_set_text(core, &step->message, from->message);
    if (from->spool_key[0] == '\0')
        return;
    job_set_text(core, &step->spool_key, from->spool_key);
    job_set_text(core, &from->spool_key, "");
    job_put_step(core, old, i);
}

static struct job *repeat(struct core *core, const struct ask *ask, struct job *old, uint32_t first)
{
    struct job *job = execute_new_job(core, old->chat, ask, old->step_count);
    if (!job)
        return NULL;
    job_set_text(core, &job->retry_of, old->id);
    job_set_text(core, &job->input_name, old->input_name);
    job_set_text(core, &job->input_key, old->input_key);
    for (uint32_t i = 0; i < job->step_count; i++) {
        struct step *step = &job->steps[i], *from = &old->steps[i];
        core_uuid(core, step->id);
        job_set_text(core, &step->operation, from->operation);
        job_set_text(core, &step->arguments, from->arguments);
        if (i <= first)
            job_set_text(core, &step->input_file, from->input_file);
        if (i < first)
            take_over(core, job, old, i);
    }
    if (first > 0) {
        old->spools_gone = true;
        job_put(core, old);
    }
    return job;
}

void retry_handle(struct core *core, const struct ask *ask, struct chat *chat)
{
    struct job *old = find(core, ask, chat);
    enum from from = read_from(ask);
    char text[120];
    if (!old)
        return;
    if (from == FROM_WRONG) {
        answer_refuse(core, ask, 422, "'from' must be 'failed' or 'start'");
        return;
    }
    if (old->status != JOB_FAILED && old->status != JOB_CANCELLED) {
        snprintf(text, sizeof text, "Only a failed or cancelled job can be retried: this one is %s",
                 job_status_name(old->status));
        answer_refuse(core, ask, 409, text);
        return;
    }
    if (!execute_has_room(core, ask))
        return;
    bool goes_on = from == FROM_FAILED && !old->spools_gone;
    struct job *job = repeat(core, ask, old, goes_on ? job_next_step(old) : 0);
    if (job)
        execute_accept(core, ask, job, false);
}
