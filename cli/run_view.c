#include "run_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Copies text for a terminal: control characters could move the cursor or worse. Cut at a UTF-8 boundary. */
static void copy_printable(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xC2 && (unsigned char)text[i + 1] < 0xA0; /* U+0080..U+009F */
        out[i] = c < 0x20 || c == 0x7F ? ' ' : c1 ? '?' : (char)c;
        if (c1 && i + 1 < len)
            out[++i] = '?';
    }
    out[len] = '\0';
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

enum err run_view_init(struct run_view *self, const json_t *steps)
{
    *self = (struct run_view){.state = RUN_GOING, .count = json_array_size(steps)};
    if (self->count > RUN_VIEW_STEPS_MAX)
        return ERR_TOO_LARGE;
    self->steps = calloc(self->count + 1, sizeof *self->steps);
    if (!self->steps)
        return ERR_MEMORY;
    for (size_t i = 0; i < self->count; i++)
        copy_printable(self->steps[i].operation, sizeof self->steps[i].operation,
                       text_of(json_array_get(steps, i), "operation"));
    return ERR_OK;
}

void run_view_fini(struct run_view *self)
{
    free(self->steps);
    self->steps = NULL;
    self->count = 0;
}

/* Steps run one after the other: an id not met before belongs to the first step that has none. */
static struct step_view *find_step(struct run_view *self, const char *id)
{
    for (size_t i = 0; i < self->count && id[0]; i++) {
        struct step_view *step = &self->steps[i];
        if (!step->id[0])
            snprintf(step->id, sizeof step->id, "%s", id);
        if (strcmp(step->id, id) == 0)
            return step;
    }
    return NULL;
}

static enum step_state step_state_of(const char *status)
{
    static const struct {
        const char *status;
        enum step_state state;
    } table[] = {{"running", STEP_RUNNING}, {"completed", STEP_COMPLETED}, {"failed", STEP_FAILED}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(status, table[i].status) == 0)
            return table[i].state;
    return STEP_PENDING;
}

static int percent_of(const json_t *number)
{
    double value = json_number_value(number);
    if (!(value > 0))
        return 0;
    return value < 100 ? (int)value : 100;
}

static void end_step(struct step_view *step, enum step_state state)
{
    step->state = state;
    if (state == STEP_COMPLETED)
        step->progress = 100;
}

/* Progress of an older attempt, or after the step's end, says nothing any more. A new attempt starts over. */
static bool apply_progress(struct step_view *step, const json_t *event)
{
    int64_t attempt = json_integer_value(json_object_get(event, "attempt"));
    int progress = percent_of(json_object_get(event, "progress"));
    enum step_state state = step_state_of(text_of(event, "status"));
    if (attempt < step->attempt || step->state == STEP_COMPLETED || step->state == STEP_FAILED)
        return false;
    if (attempt > step->attempt) {
        step->attempt = attempt;
        step->progress = 0;
    }
    if (progress > step->progress)
        step->progress = progress;
    copy_printable(step->message, sizeof step->message, text_of(event, "message"));
    if (state != STEP_PENDING)
        end_step(step, state);
    return true;
}

static void end_run(struct run_view *self, enum run_state state, const char *error)
{
    self->state = state;
    copy_printable(self->error, sizeof self->error, error);
    for (size_t i = 0; i < self->count && state == RUN_COMPLETED; i++)
        end_step(&self->steps[i], STEP_COMPLETED);
}

static bool apply_step_event(struct step_view *step, const char *type, const json_t *event)
{
    if (strcmp(type, "progress") == 0)
        return apply_progress(step, event);
    if (strcmp(type, "step_result") == 0) {
        bool news = step->state != STEP_COMPLETED;
        end_step(step, STEP_COMPLETED);
        return news;
    }
    if (strcmp(type, "error") != 0)
        return false;
    end_step(step, STEP_FAILED);
    copy_printable(step->message, sizeof step->message, text_of(event, "message"));
    return true;
}

bool run_view_event(struct run_view *self, const json_t *event)
{
    const char *type = text_of(event, "type"), *job = text_of(event, "job_id");
    if (self->state != RUN_GOING || !job[0] || (self->job[0] && strcmp(job, self->job) != 0))
        return false;
    if (strcmp(type, "workflow_completed") == 0)
        end_run(self, RUN_COMPLETED, "");
    else if (strcmp(type, "workflow_failed") == 0)
        end_run(self, RUN_FAILED, text_of(event, "error"));
    else if (strcmp(type, "workflow_cancelled") == 0)
        end_run(self, RUN_CANCELLED, "the run was cancelled");
    struct step_view *step = find_step(self, text_of(event, "step_id"));
    return step && apply_step_event(step, type, event);
}

void run_view_job(struct run_view *self, const json_t *job)
{
    const char *id = text_of(job, "job_id"), *status = text_of(job, "status");
    const json_t *steps = json_object_get(job, "steps");
    if (self->state != RUN_GOING || (self->job[0] && strcmp(id, self->job) != 0))
        return;
    for (size_t i = 0; i < self->count && i < json_array_size(steps); i++) {
        const json_t *told = json_array_get(steps, i);
        if (!self->steps[i].id[0])
            snprintf(self->steps[i].id, sizeof self->steps[i].id, "%s", text_of(told, "step_id"));
        (void)apply_progress(&self->steps[i], told);
    }
    if (strcmp(status, "completed") == 0)
        end_run(self, RUN_COMPLETED, "");
    else if (strcmp(status, "failed") == 0)
        end_run(self, RUN_FAILED, text_of(job, "error"));
    else if (strcmp(status, "cancelled") == 0)
        end_run(self, RUN_CANCELLED, "the run was cancelled");
}
