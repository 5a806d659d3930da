/* A chat's rows on their way from the record into memory: the chat, its jobs with their steps, newest events, files. */
#include "core/chat.h"
#include "core/lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err core_load_begin(struct core *self, const char *chat_id, struct core_time now)
{
    self->now = now;
    self->loading = chat_new(self, chat_id);
    return self->err;
}

enum err core_load_chat(void *context, const struct chat_row *row)
{
    struct core *self = context;
    struct chat *chat = self->loading;
    chat->exists = true;
    chat->room = row->room;
    chat->status = row->status;
    chat->head = row->head;
    chat->created_us = row->created_us;
    chat->updated_us = row->updated_us;
    snprintf(chat->participant_name, sizeof chat->participant_name, "%s", row->participant_name);
    snprintf(chat->partition, sizeof chat->partition, "%s", row->partition_key);
    snprintf(chat->epoch, sizeof chat->epoch, "%s", row->epoch);
    free(chat->metadata);
    chat->metadata = core_copy_text(self, row->metadata);
    return self->err;
}

/* The newest job that has ended is kept for snapshots, the others go into the queue when their steps are there. */
static void keep_job(struct core *self, struct chat *chat, struct job *job)
{
    if (self->loading_past) {
        core_forget_past(self);
        job->phase = JOB_ENDED;
        self->past = job;
        return;
    }
    if (!job_status_final(job->status)) {
        job_link(self, job);
        return;
    }
    if (chat->newest)
        job_destroy(self, chat->newest);
    job->phase = JOB_ENDED;
    chat->newest = job;
}

enum err core_load_job(void *context, const struct job_row *row)
{
    struct core *self = context;
    struct job *job = job_new(self, self->loading, row->job_id, row->total_steps);
    if (!job)
        return self->err;
    job->status = row->status;
    job->attempts = row->attempts;
    job->token = row->token;
    job->last_number = row->last_number;
    job->submitted_us = row->submitted_us;
    if (row->submitted_us > self->submitted_us)
        self->submitted_us = row->submitted_us;
    job->started_us = row->started_us;
    job->completed_us = row->completed_us;
    job_set_text(self, &job->input_name, row->input_name);
    job_set_text(self, &job->input_key, row->input_key);
    job_set_text(self, &job->trace, row->trace);
    job_set_text(self, &job->error, row->error);
    job_set_text(self, &job->retry_of, row->retry_of);
    job->set_back = row->set_back;
    job->spools_gone = row->spools_gone;
    keep_job(self, self->loading, job);
    return self->err;
}

static struct job *loaded_job(const struct core *self, const struct chat *chat, const char *job_id)
{
    struct job *open = self->loading_past ? self->past : job_find_open(chat, job_id);
    if (open)
        return open;
    return chat->newest && strcmp(chat->newest->id, job_id) == 0 ? chat->newest : NULL;
}

/* What was said last about a step is not on record, but follows from how it stands. */
static void restore_message(struct core *self, struct step *step)
{
    switch (step->status) {
    case STEP_PENDING: break;
    case STEP_RUNNING: job_set_text(self, &step->message, "Starting step execution"); break;
    case STEP_COMPLETED: job_set_text(self, &step->message, "Step completed successfully"); break;
    case STEP_FAILED: job_set_text(self, &step->message, step->error); break;
    }
}

enum err core_load_step(void *context, const struct step_row *row)
{
    struct core *self = context;
    struct job *job = loaded_job(self, self->loading, row->job_id);
    if (!job || row->index >= job->step_count)
        return ERR_INTERNAL; /* the record contradicts itself */
    struct step *step = &job->steps[row->index];
    snprintf(step->id, sizeof step->id, "%s", row->step_id);
    step->status = row->status;
    step->progress = row->progress;
    step->started_us = row->started_us;
    step->completed_us = row->completed_us;
    job_set_text(self, &step->operation, row->operation);
    job_set_text(self, &step->arguments, row->arguments);
    job_set_text(self, &step->input_file, row->input_file);
    job_set_text(self, &step->output_file, row->output_file);
    job_set_text(self, &step->spool_key, row->spool_key);
    job_set_text(self, &step->result, row->result);
    job_set_text(self, &step->error, row->error_message);
    restore_message(self, step);
    return self->err;
}

enum err core_load_event(void *context, const struct event_row *row)
{
    struct core *self = context;
    struct tail_event *event = tail_event_new(self, row->type, row->seq, row->body, row->body_len);
    if (event)
        chat_tail_push(self, self->loading, event);
    return self->err;
}

enum err core_load_file(void *context, const struct file_row *row)
{
    struct core *self = context;
    chat_add_file(self, self->loading, row->name, row->key, row->type);
    return self->err;
}

void core_load_past(struct core *self, const char *chat_id, struct core_time now)
{
    self->now = now;
    self->loading = chat_find(self, chat_id);
    self->loading_past = true;
}

void core_forget_past(struct core *self)
{
    if (self->past)
        job_destroy(self, self->past);
    self->past = NULL;
}

/* A job that was leased gets one fresh lease time for its worker to show up. */
enum err core_load_end(struct core *self)
{
    struct chat *chat = self->loading;
    struct job *first = chat->jobs;
    if (first && first->status == JOB_RUNNING && first->token.term > 0)
        lease_restore(self, first);
    else if (first)
        turns_join(&self->turns, &chat->turn);
    self->loading = NULL;
    return self->err;
}
