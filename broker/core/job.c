#include "core/job.h"

#include "core/lease.h"
#include "json_scan.h"
#include "json_text.h"

#include <stdlib.h>
#include <string.h>

/* Every empty text: most are never set to anything else. */
static char empty[] = "";

static void free_text(char *text)
{
    if (text != empty)
        free(text);
}

void job_take_text(char **text, char *value)
{
    free_text(*text);
    *text = value;
}

void job_set_text(struct core *core, char **text, const char *value)
{
    char *copy = value && value[0] ? core_copy_text(core, value) : empty;
    if (copy)
        job_take_text(text, copy);
}

static void init_step(struct step *step)
{
    char **const texts[] = {&step->operation, &step->arguments, &step->input_file, &step->output_file,
                            &step->spool_key, &step->result,    &step->error,      &step->message};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = empty;
}

struct job *job_new(struct core *core, struct chat *chat, const char *id, uint32_t steps)
{
    struct job *self = core_alloc(core, sizeof *self);
    if (!self)
        return NULL;
    self->chat = chat;
    strncpy(self->id, id, JOB_ID_MAX);
    char **const texts[] = {&self->input_name, &self->input_key, &self->trace, &self->error, &self->retry_of};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = empty;
    self->steps = core_alloc(core, (steps ? steps : 1) * sizeof *self->steps);
    self->step_count = self->steps ? steps : 0;
    for (uint32_t i = 0; i < self->step_count; i++)
        init_step(&self->steps[i]);
    if (core->err == ERR_OK)
        return self;
    job_destroy(core, self);
    return NULL;
}

static void free_step(struct step *step)
{
    free_text(step->operation);
    free_text(step->arguments);
    free_text(step->input_file);
    free_text(step->output_file);
    free_text(step->spool_key);
    free_text(step->result);
    free_text(step->error);
    free_text(step->message);
}

void job_destroy(struct core *core, struct job *self)
{
    while (self->waiters)
        job_forget_waiter(core, self->waiters->id);
    chat_progress_drop_job(self->chat, self);
    for (uint32_t i = 0; i < self->step_count; i++)
        free_step(&self->steps[i]);
    free(self->steps);
    free_text(self->input_name);
    free_text(self->input_key);
    free_text(self->trace);
    free_text(self->error);
    free_text(self->retry_of);
    free(self);
}

void job_link(struct core *core, struct job *self)
{
    struct chat *chat = self->chat;
    if (chat->jobs)
        chat->jobs_last->next = self;
    else
        chat->jobs = self;
    chat->jobs_last = self;
    core->open_jobs++;
}

static void deactivate(struct core *core, struct job *self)
{
    if (self->active_prev)
        self->active_prev->active_next = self->active_next;
    else if (core->active == self)
        core->active = self->active_next;
    if (self->active_next)
        self->active_next->active_prev = self->active_prev;
    self->active_prev = self->active_next = NULL;
}

void job_activate(struct core *core, struct job *self)
{
    if (self->active_prev || core->active == self)
        return;
    self->active_next = core->active;
    if (core->active)
        core->active->active_prev = self;
    core->active = self;
}

void job_unlink(struct core *core, struct job *self)
{
    lease_end(core, self);
    deactivate(core, self);
    self->phase = JOB_ENDED;
    struct job **at = &self->chat->jobs, *before = NULL;
    for (; *at && *at != self; at = &(*at)->next)
        before = *at;
    if (!*at)
        return;
    *at = self->next;
    if (self->chat->jobs_last == self)
        self->chat->jobs_last = before;
    self->next = NULL;
    core->open_jobs--;
}

void job_put(struct core *core, const struct job *self)
{
    core_change(core, &(struct change){.kind = CHANGE_JOB_PUT,
                                       .of.job = {.job_id = self->id,
                                                  .chat_id = self->chat->id,
                                                  .status = self->status,
                                                  .attempts = self->attempts,
                                                  .token = self->token,
                                                  .last_number = self->last_number,
                                                  .input_name = self->input_name,
                                                  .input_key = self->input_key,
                                                  .trace = self->trace,
                                                  .error = self->error,
                                                  .total_steps = self->step_count,
                                                  .submitted_us = self->submitted_us,
                                                  .started_us = self->started_us,
                                                  .completed_us = self->completed_us,
                                                  .retry_of = self->retry_of,
                                                  .set_back = self->set_back,
                                                  .spools_gone = self->spools_gone}});
}

void job_put_step(struct core *core, const struct job *self, uint32_t i)
{
    const struct step *step = &self->steps[i];
    core_change(core, &(struct change){.kind = CHANGE_STEP_PUT,
                                       .of.step = {.step_id = step->id,
                                                   .chat_id = self->chat->id,
                                                   .job_id = self->id,
                                                   .index = i,
                                                   .operation = step->operation,
                                                   .arguments = step->arguments,
                                                   .input_file = step->input_file,
                                                   .output_file = step->output_file,
                                                   .spool_key = step->spool_key,
                                                   .result = step->result,
                                                   .status = step->status,
                                                   .progress = step->progress,
                                                   .error_message = step->error,
                                                   .started_us = step->started_us,
                                                   .completed_us = step->completed_us}});
}

struct job *job_find_open(const struct chat *chat, const char *job_id)
{
    struct job *job = chat ? chat->jobs : NULL;
    while (job && strcmp(job->id, job_id) != 0)
        job = job->next;
    return job;
}

uint32_t job_next_step(const struct job *self)
{
    uint32_t i = 0;
    while (i < self->step_count && self->steps[i].status == STEP_COMPLETED)
        i++;
    return i;
}

int job_find_step(const struct job *self, const char *step_id)
{
    for (uint32_t i = 0; i < self->step_count; i++)
        if (strcmp(self->steps[i].id, step_id) == 0)
            return (int)i;
    return -1;
}

enum file_type job_output_type(const struct job *self, uint32_t i)
{
    return i + 1 == self->step_count ? FILE_OUTPUT : FILE_INTERMEDIATE;
}

void job_wait(struct core *core, struct job *self, const struct peer *peer, const unsigned char id[REQUEST_ID_LEN])
{
    job_forget_waiter(core, id);
    struct waiter *waiter = core_alloc(core, sizeof *waiter);
    if (!waiter)
        return;
    memcpy(waiter->id, id, REQUEST_ID_LEN);
    waiter->peer = *peer;
    waiter->job = self;
    enum err err = strmap_put(core->waiters, id, REQUEST_ID_LEN, waiter, NULL);
    if (err != ERR_OK) {
        free(waiter);
        core_fail(core, err);
        return;
    }
    waiter->next = self->waiters;
    self->waiters = waiter;
}

void job_forget_waiter(struct core *core, const unsigned char id[REQUEST_ID_LEN])
{
    struct waiter *waiter = strmap_take(core->waiters, id, REQUEST_ID_LEN);
    if (!waiter)
        return;
    struct waiter **at = &waiter->job->waiters;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    free(waiter);
}

/* The key of the file the result names, NULL when it is whole. */
static const char *result_key(const struct job *self, const char *result)
{
    struct json_members members;
    char name[256];
    if (json_scan_object(result, strlen(result), &members, NULL) != ERR_OK ||
        !json_member_plain_text(json_members_find(&members, "result_file"), name, sizeof name))
        return NULL;
    return chat_result_key(self->chat, name);
}

static enum err write_result(const struct job *self, const char *result, struct buf *out)
{
    const char *key = result_key(self, result);
    if (!key)
        return buf_add_text(out, result);
    enum err err = buf_add(out, result, strlen(result) - 1); /* up to the bracket that closes it */
    if (err == ERR_OK)
        err = json_text_member(out, "result_key", key);
    return err == ERR_OK ? buf_add_byte(out, '}') : err;
}

static enum err write_results(const struct job *self, struct buf *out)
{
    enum err err = buf_add_text(out, ",\"results\":[");
    const char *comma = "";
    for (uint32_t i = 0; i < self->step_count && err == ERR_OK; i++) {
        if (self->steps[i].result[0] == '\0')
            continue;
        err = buf_add_text(out, comma);
        if (err == ERR_OK)
            err = write_result(self, self->steps[i].result, out);
        comma = ",";
    }
    return err == ERR_OK ? buf_add_byte(out, ']') : err;
}

static enum err write_output_files(const struct core *core, const struct job *self, struct buf *out)
{
    struct buf path = BUF_INIT(4096);
    enum err err = buf_add_text(out, ",\"output_files\":[");
    const char *comma = "";
    for (uint32_t i = 0; i < self->step_count && err == ERR_OK; i++) {
        if (self->steps[i].output_file[0] == '\0')
            continue;
        buf_clear(&path);
        err = chat_path(core, self->chat, job_output_type(self, i), self->steps[i].output_file, &path);
        if (err == ERR_OK)
            err = buf_add_text(out, comma);
        if (err == ERR_OK)
            err = json_text_string(out, path.data, path.len);
        comma = ",";
    }
    buf_fini(&path);
    return err == ERR_OK ? buf_add_byte(out, ']') : err;
}

enum err job_write_answer(const struct core *core, const struct job *self, struct buf *out)
{
    enum err err = buf_add_byte(out, '{');
    if (err == ERR_OK)
        err = json_text_member(out, "job_id", self->id);
    if (err == ERR_OK)
        err = json_text_member(out, "status", job_status_name(self->status));
    if (err == ERR_OK)
        err = write_results(self, out);
    if (err == ERR_OK)
        err = write_output_files(core, self, out);
    if (err == ERR_OK && self->error[0])
        err = json_text_member(out, "error", self->error);
    return err == ERR_OK ? buf_add_byte(out, '}') : err;
}

uint16_t job_answer_status(const struct job *self)
{
    switch (self->status) {
    case JOB_PENDING:
    case JOB_RUNNING: return 202;
    case JOB_COMPLETED: return 200;
    case JOB_FAILED: return self->server_fault ? 500 : 422;
    case JOB_CANCELLED: return 409;
    }
    return 500;
}

void job_answer_message(const struct job *self, struct buf *out)
{
    const char *text = "Workflow executed successfully", *more = "";
    if (self->status == JOB_FAILED || self->status == JOB_CANCELLED) {
        text = self->status == JOB_FAILED ? "Workflow execution failed: " : "Workflow cancelled";
        more = self->status == JOB_FAILED ? self->error : "";
    }
    if (buf_printf(out, "%s%s", text, more) != ERR_OK)
        buf_clear(out); /* a message for people; the status says the rest */
}
