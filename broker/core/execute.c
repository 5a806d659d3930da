/* CALL_EXECUTE: from a list of steps to an accepted job. The job fixes its input now; everything about it is on disk
 * before the gateway hears ACCEPTED. The body is checked once and its steps are read where they lie; arguments are kept
 * as the bytes that came. */
#include "core/call.h"
#include "core/execution.h"
#include "core/note.h"
#include "json_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_STEPS 4 /* most runs have no more */
#define NO_FILE     "No uploaded file found for processing"
#define NO_STEPS    "No steps provided"

/* A step as it lies in the body. Of members that come twice the last counts; an absent one is null. */
struct wished_step {
    enum json_kind kind;
    struct json_member operation, arguments;
};

/* What a body asks for. */
struct wish {
    struct json_member steps;
    struct wished_step *step; /* owned */
    size_t count, room;
    bool wait; /* absent means yes: existing clients wait */
};

static void wish_fini(struct wish *self)
{
    free(self->step);
    self->step = NULL;
}

static bool is_false(const struct json_member *member)
{
    return member->kind == JSON_KIND_TRUTH && *member->value.at == 'f';
}

static enum err read_body(const struct ask *ask, struct wish *out, struct fault *why)
{
    const struct json_span body = {ask->frame->body.at, ask->frame->body.len};
    *out = (struct wish){.steps = {.kind = JSON_KIND_NULL}, .wait = true};
    enum err err = json_scan_object(body.at, body.len, NULL, NULL);
    if (err == ERR_TOO_LARGE)
        return fault_set(why, err, "The steps are nested too deep: at most %d levels are allowed", JSON_SCAN_DEPTH_MAX);
    if (err != ERR_OK)
        return fault_set(why, err, NO_STEPS);
    struct json_walk walk = json_walk_begin(body);
    struct json_member member;
    while (json_walk_next(&walk, &member)) {
        if (json_key_is(&member.key, "steps"))
            out->steps = member;
        else if (json_key_is(&member.key, "wait"))
            out->wait = !is_false(&member);
    }
    return out->steps.kind == JSON_KIND_ARRAY ? ERR_OK : fault_set(why, ERR_INVALID, NO_STEPS);
}

static void read_step(const struct json_member *from, struct wished_step *out)
{
    out->kind = from->kind;
    out->operation.kind = out->arguments.kind = JSON_KIND_NULL;
    if (from->kind != JSON_KIND_OBJECT)
        return;
    struct json_walk walk = json_walk_begin(from->value);
    struct json_member member;
    while (json_walk_next(&walk, &member)) {
        if (json_key_is(&member.key, "operation"))
            out->operation = member;
        else if (json_key_is(&member.key, "arguments"))
            out->arguments = member;
    }
}

static enum err add_step(struct wish *wish, const struct json_member *from, struct fault *why)
{
    if (wish->count == wish->room) {
        size_t room = wish->room ? 2 * wish->room : FIRST_STEPS;
        struct wished_step *step = realloc(wish->step, room * sizeof *step);
        if (!step)
            return fault_set(why, ERR_MEMORY, "No memory for the steps");
        wish->step = step;
        wish->room = room;
    }
    read_step(from, &wish->step[wish->count++]);
    return ERR_OK;
}

/* More than are allowed are counted only. */
static enum err read_steps(const struct core *core, struct wish *wish, struct fault *why)
{
    struct json_walk walk = json_walk_begin(wish->steps.value);
    struct json_member step;
    const size_t max = core->settings.max_steps;
    size_t count = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && json_walk_next(&walk, &step))
        if (++count <= max)
            err = add_step(wish, &step, why);
    if (err != ERR_OK || count <= max)
        return err;
    return fault_set(why, ERR_INVALID,
                     "Too many steps: %zu, at most %zu are allowed (chat_workflows.execution.max_steps)", count, max);
}

static enum err check_step(const struct wished_step *step, size_t i, struct fault *why)
{
    if (step->kind != JSON_KIND_OBJECT)
        return fault_set(why, ERR_INVALID, "Step %zu must be an object", i + 1);
    char operation[OPERATION_MAX + 1];
    bool text = step->operation.kind == JSON_KIND_STRING;
    size_t len = text ? json_member_text(&step->operation, operation, sizeof operation) : 0;
    if (len == 0)
        return fault_set(why, ERR_INVALID, "Step %zu: 'operation' must be a text", i + 1);
    if (len > OPERATION_MAX)
        return fault_set(why, ERR_INVALID, "Step %zu: 'operation' has %zu bytes, at most %d are allowed", i + 1, len,
                         OPERATION_MAX);
    if (step->arguments.kind != JSON_KIND_OBJECT && step->arguments.kind != JSON_KIND_NULL)
        return fault_set(why, ERR_INVALID, "Step %zu: 'arguments' must be an object", i + 1);
    return ERR_OK;
}

/* Whatever the result, the caller ends the wish. */
static enum err read_wish(const struct core *core, const struct ask *ask, struct wish *out, struct fault *why)
{
    enum err err = read_body(ask, out, why);
    if (err == ERR_OK)
        err = read_steps(core, out, why);
    for (size_t i = 0; i < out->count && err == ERR_OK; i++)
        err = check_step(&out->step[i], i, why);
    return err;
}

static void fill_step(struct core *core, struct step *step, const struct wished_step *from)
{
    char operation[OPERATION_MAX + 1];
    json_member_text(&from->operation, operation, sizeof operation);
    core_uuid(core, step->id);
    job_set_text(core, &step->operation, operation);
    if (from->arguments.kind != JSON_KIND_OBJECT) {
        job_set_text(core, &step->arguments, "{}");
        return;
    }
    char *arguments = core_alloc(core, from->arguments.value.len + 1);
    if (!arguments)
        return;
    json_compact(from->arguments.value, arguments);
    job_take_text(&step->arguments, arguments);
}

/* {chat}_workflow_{milliseconds}_{8 hex digits} */
static void draw_id(struct core *core, const struct chat *chat, char out[JOB_ID_MAX + 1])
{
    static const char middle[] = "_workflow_";
    size_t len = strlen(chat->id);
    memcpy(out, chat->id, len);
    memcpy(out + len, middle, sizeof middle);
    len += sizeof middle - 1;
    len += buf_decimal(core->now.wall_us / 1000, out + len);
    out[len] = '_';
    core_hex(core, out + len + 1, 8);
}

struct job *execute_new_job(struct core *core, struct chat *chat, const struct ask *ask, uint32_t steps)
{
    char id[JOB_ID_MAX + 1];
    draw_id(core, chat, id);
    struct job *job = job_new(core, chat, id, steps);
    if (!job)
        return NULL;
    job_set_text(core, &job->trace, ask->frame->trace);
    bool later = core->now.wall_us > core->submitted_us;
    job->submitted_us = core->submitted_us = later ? core->now.wall_us : core->submitted_us + 1;
    return job;
}

static struct job *make_job(struct core *core, struct chat *chat, const struct ask *ask, const struct wish *wish)
{
    struct job *job = execute_new_job(core, chat, ask, (uint32_t)wish->count);
    if (!job)
        return NULL;
    const struct chat_file *input = chat_last_upload(chat);
    job_set_text(core, &job->input_name, input->name);
    job_set_text(core, &job->input_key, input->key);
    for (uint32_t i = 0; i < job->step_count; i++)
        fill_step(core, &job->steps[i], &wish->step[i]);
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

static void execute(struct core *core, const struct ask *ask, struct chat *chat, const struct wish *wish)
{
    if (!chat_last_upload(chat)) {
        answer_refuse(core, ask, 422, NO_FILE);
        return;
    }
    struct job *job = execute_has_room(core, ask) ? make_job(core, chat, ask, wish) : NULL;
    if (job)
        execute_accept(core, ask, job, wish->wait);
}

void execute_handle(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!chat || !chat->exists || chat->room) {
        answer_refuse(core, ask, 404, "Conversation not found");
        return;
    }
    struct wish wish;
    struct fault why;
    enum err err = read_wish(core, ask, &wish, &why);
    if (err == ERR_OK)
        execute(core, ask, chat, &wish);
    else if (err == ERR_MEMORY)
        core_fail(core, err);
    else
        answer_refuse(core, ask, 422, why.text);
    wish_fini(&wish);
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
    struct wish wish;
    (void)read_body(ask, &wish, NULL); /* it was accepted before */
    struct job *job = job_find_open(chat, job_id);
    if (!wish.wait)
        answer_submitted(core, ask->peer, ask->frame->id, job_id);
    else if (job)
        reply(core, ask, job, true);
    else if (chat && chat->newest && strcmp(chat->newest->id, job_id) == 0)
        answer_job_end(core, ask->peer, ask->frame->id, chat->newest);
    else
        ask_job_end(core, ask, job_id);
}
