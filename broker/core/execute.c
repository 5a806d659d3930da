/* CALL_EXECUTE: from a list of steps to an accepted job. The job fixes its input now; everything about it is on disk
 * before the gateway hears ACCEPTED. */
#include "core/call.h"
#include "core/execution.h"
#include "core/note.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_FILE  "No uploaded file found for processing"
#define NO_STEPS "No steps provided"

/* Absent means yes: existing clients wait. */
static bool wants_to_wait(const json_t *body)
{
    return !json_is_false(json_object_get(body, "wait"));
}

static json_t *parse(const struct ask *ask)
{
    return json_loadb(ask->frame->body.at, ask->frame->body.len, 0, NULL);
}

static enum err check_step(const json_t *step, size_t i, struct fault *why)
{
    const json_t *arguments = json_object_get(step, "arguments");
    const char *operation = json_string_value(json_object_get(step, "operation"));
    if (!json_is_object(step))
        return fault_set(why, ERR_INVALID, "Step %zu must be an object", i + 1);
    if (!operation || !operation[0])
        return fault_set(why, ERR_INVALID, "Step %zu: 'operation' must be a text", i + 1);
    if (strlen(operation) > OPERATION_MAX)
        return fault_set(why, ERR_INVALID, "Step %zu: 'operation' has %zu bytes, at most %d are allowed", i + 1,
                         strlen(operation), OPERATION_MAX);
    if (arguments && !json_is_object(arguments) && !json_is_null(arguments))
        return fault_set(why, ERR_INVALID, "Step %zu: 'arguments' must be an object", i + 1);
    return ERR_OK;
}

static enum err check_steps(const struct core *core, const struct chat *chat, const json_t *steps, struct fault *why)
{
    if (!json_is_array(steps))
        return fault_set(why, ERR_INVALID, NO_STEPS);
    if (json_array_size(steps) > core->settings.max_steps)
        return fault_set(why, ERR_INVALID,
                         "Too many steps: %zu, at most %" PRIu32 " are allowed (chat_workflows.execution.max_steps)",
                         json_array_size(steps), core->settings.max_steps);
    for (size_t i = 0; i < json_array_size(steps); i++) {
        enum err err = check_step(json_array_get(steps, i), i, why);
        if (err != ERR_OK)
            return err;
    }
    return chat_last_upload(chat) ? ERR_OK : fault_set(why, ERR_INVALID, NO_FILE);
}

static void fill_step(struct core *core, struct step *step, const json_t *from)
{
    core_uuid(core, step->id);
    job_set_text(core, &step->operation, json_string_value(json_object_get(from, "operation")));
    const json_t *arguments = json_object_get(from, "arguments");
    char *text = json_is_object(arguments) ? json_dumps(arguments, JSON_COMPACT) : NULL;
    job_set_text(core, &step->arguments, text ? text : "{}");
    free(text);
}

struct job *execute_new_job(struct core *core, struct chat *chat, const struct ask *ask, uint32_t steps)
{
    char id[JOB_ID_MAX + 1], hex[9];
    core_hex(core, hex, 8);
    snprintf(id, sizeof id, "%s_workflow_%" PRId64 "_%s", chat->id, core->now.wall_us / 1000, hex);
    struct job *job = job_new(core, chat, id, steps);
    if (!job)
        return NULL;
    job_set_text(core, &job->trace, ask->frame->trace);
    bool later = core->now.wall_us > core->submitted_us;
    job->submitted_us = core->submitted_us = later ? core->now.wall_us : core->submitted_us + 1;
    return job;
}

static struct job *make_job(struct core *core, struct chat *chat, const struct ask *ask, const json_t *steps)
{
    struct job *job = execute_new_job(core, chat, ask, (uint32_t)json_array_size(steps));
    if (!job)
        return NULL;
    const struct chat_file *input = chat_last_upload(chat);
    job_set_text(core, &job->input_name, input->name);
    job_set_text(core, &job->input_key, input->key);
    for (uint32_t i = 0; i < job->step_count; i++)
        fill_step(core, &job->steps[i], json_array_get(steps, i));
    if (job->step_count > 0)
        job_set_text(core, &job->steps[0].input_file, input->name);
    return job;
}

/* What the chat's last run left for a retry is not kept beyond the next one. */
static void queue_job(struct core *core, struct job *job)
{
    struct chat *chat = job->chat;
    if (chat->newest)
        execution_drop_spools(core, chat->newest);
    job_link(core, job);
    job_put(core, job);
    for (uint32_t i = 0; i < job->step_count; i++)
        job_put_step(core, job, i);
    chat->status = CHAT_PROCESSING;
    chat_put(core, chat);
    if (chat->jobs == job)
        turns_join(&core->turns, &chat->turn);
}

static void reply(struct core *core, const struct ask *ask, struct job *job, bool wait)
{
    if (!wait) {
        answer_submitted(core, ask->peer, ask->frame->id, job->id);
        return;
    }
    answer_accepted(core, ask->peer, ask->frame->id, job->id);
    job_wait(core, job, ask->peer, ask->frame->id);
}

bool execute_has_room(struct core *core, const struct ask *ask)
{
    if (core->open_jobs < core->settings.queue_jobs_max)
        return true;
    char text[100];
    snprintf(text, sizeof text, "Too many jobs are waiting: at most %" PRIu32 " (broker.queue_jobs_max)",
             core->settings.queue_jobs_max);
    answer_refuse(core, ask, 503, text);
    return false;
}

void execute_accept(struct core *core, const struct ask *ask, struct job *job, bool wait)
{
    queue_job(core, job);
    answer_keep(core, ask, 202, "Workflow submitted", (struct bytes){0}, job->id);
    note_write(core, false, "job accepted", job, NULL, NULL);
    reply(core, ask, job, wait);
}

static void execute(struct core *core, const struct ask *ask, struct chat *chat, const json_t *body)
{
    struct fault why;
    const json_t *steps = json_object_get(body, "steps");
    if (check_steps(core, chat, steps, &why) != ERR_OK) {
        answer_refuse(core, ask, 422, why.text);
        return;
    }
    struct job *job = execute_has_room(core, ask) ? make_job(core, chat, ask, steps) : NULL;
    if (job)
        execute_accept(core, ask, job, wants_to_wait(body));
}

void execute_handle(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!chat || !chat->exists || chat->room) {
        answer_refuse(core, ask, 404, "Conversation not found");
        return;
    }
    json_t *body = parse(ask);
    execute(core, ask, chat, body);
    json_decref(body);
}

static void ask_job_end(struct core *core, const struct ask *ask, const char *job_id)
{
    struct effect *effect = core_effect(core, EFFECT_QUERY);
    struct query *query = effect ? core_alloc(core, sizeof *query) : NULL;
    if (!query)
        return;
    query->kind = QUERY_JOB_END;
    query->peer = *ask->peer;
    memcpy(query->id, ask->frame->id, REQUEST_ID_LEN);
    memcpy(query->chat, ask->frame->chat, sizeof query->chat);
    snprintf(query->text, sizeof query->text, "%s", job_id);
    effect->query = query;
}

void execute_again(struct core *core, const struct ask *ask, struct chat *chat, const char *job_id)
{
    json_t *body = parse(ask);
    bool wait = wants_to_wait(body);
    json_decref(body);
    struct job *job = job_find_open(chat, job_id);
    if (!wait)
        answer_submitted(core, ask->peer, ask->frame->id, job_id);
    else if (job)
        reply(core, ask, job, true);
    else if (chat && chat->newest && strcmp(chat->newest->id, job_id) == 0)
        answer_job_end(core, ask->peer, ask->frame->id, chat->newest);
    else
        ask_job_end(core, ask, job_id);
}
