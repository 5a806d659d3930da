#include "runner.h"

#include "assignment.h"
#include "clock.h"
#include "log.h"
#include "operations/operation.h"
#include "output_name.h"
#include "process/plan.h"
#include "process/verdict.h"
#include "result_file.h"
#include "table/source.h"
#include "utf8.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB            (1024u * 1024u)
#define SPOOL_FOLDER   "spool"
#define PERCENT_LAST   99 /* 100 is the broker's word, with the result */
#define RESULTS_FOLDER "results"

enum runner_state {
    RUNNER_WORKING,  /* a step's process runs */
    RUNNER_STOPPING, /* killed; its exit is awaited, then nothing is said */
    RUNNER_ENDED,
};

/* A file being written for the present step. */
struct draft {
    bool made;
    struct files_new_object object;
};

/* What the present step reads, and what its output's name starts with. */
struct input {
    char name[ASSIGNMENT_TEXT_MAX + 1];
    char key[FILES_KEY_MAX];
    char stem_of[ASSIGNMENT_TEXT_MAX + 1];
};

struct progress {
    bool waiting; /* not said yet */
    uint8_t percent;
    char text[REPORT_MESSAGE_MAX];
    int64_t due_ms; /* not to be said earlier */
};

struct runner {
    struct runner_tools tools;
    struct token token;
    enum runner_state state;
    struct assignment job;
    size_t index; /* of the present step */
    struct input input;
    char name_base[OUTPUT_NAME_MAX];
    struct draft output, spool;
    uint64_t process; /* 0 = none */
    int report_fd;
    struct report_reader reader;
    bool last_word_known, report_broken;
    struct report last_word;
    json_t *result; /* of last_word, parsed; NULL when it was not a JSON object */
    struct progress progress;
    enum verdict_stop stop;
    int64_t step_deadline_ms, run_deadline_ms;
    struct sandbox_limits limits;
};

static void start_step(struct runner *self, int64_t now_ms);

/* --- words --- */

/* A step's texts may hold any bytes; JSON may not. */
static json_t *safe_text(const char *text)
{
    char clean[FAULT_TEXT_MAX];
    size_t len = strnlen(text, sizeof clean - 1);
    for (size_t i = 0; i < len;) {
        size_t sequence = utf8_sequence(text + i, len - i);
        if (sequence == 0)
            clean[i] = '?';
        else
            memcpy(clean + i, text + i, sequence);
        i += sequence == 0 ? 1 : sequence;
    }
    return json_stringn(clean, len);
}

/* Takes both objects. Without memory for a text nothing can be said any more: the lease lapses. */
static void record(struct runner *self, enum work_what what, json_t *event, json_t *detail)
{
    char *event_text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    char *detail_text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
    enum err err = ERR_MEMORY;
    if (event_text && detail_text)
        err = self->tools.record(self->tools.context, self->token, what,
                                 (struct bytes){.at = event_text, .len = strlen(event_text)},
                                 (struct bytes){.at = detail_text, .len = strlen(detail_text)});
    free(event_text);
    free(detail_text);
    json_decref(event);
    json_decref(detail);
    if (err != ERR_OK)
        runner_stop(self);
}

static json_t *step_event(const struct runner *self, const char *message)
{
    struct assignment_step step = assignment_step(&self->job, self->index);
    return json_pack("{s:s, s:s, s:o}", "step_id", step.step_id, "operation", step.operation, "message",
                     safe_text(message));
}

static json_t *step_detail(const struct runner *self)
{
    return json_pack("{s:I}", "index", (json_int_t)self->index);
}

static void record_progress(struct runner *self, enum work_what what, int percent, const char *message)
{
    json_t *event = step_event(self, message);
    json_object_set_new(event, "progress", json_integer(percent));
    json_object_set_new(event, "status", json_string("running"));
    record(self, what, event, step_detail(self));
}

/* The job's end, or a lost attempt. */
static void fail(struct runner *self, enum verdict_kind kind, const char *message)
{
    if (self->state != RUNNER_WORKING)
        return;
    log_write(kind == VERDICT_USER ? LOG_INFO : LOG_WARNING, "step failed", "job",
              self->job.job_id ? self->job.job_id : "", "step", LOG_NUMBER(self->index), "kind",
              verdict_kind_name(kind), "why", message, NULL);
    json_t *detail = step_detail(self);
    json_object_set_new(detail, "message", safe_text(message));
    json_object_set_new(detail, "kind", json_string(verdict_kind_name(kind)));
    json_t *event = self->job.step_count > self->index ? step_event(self, message)
                                                       : json_pack("{s:o}", "message", safe_text(message));
    json_object_set_new(event, "progress", json_integer(self->progress.percent));
    record(self, WORK_STEP_FAILED, event, detail);
    runner_stop(self);
}

/* --- a step's files --- */

static void abandon(struct runner *self, struct draft *draft)
{
    if (draft->made)
        files_abandon(self->tools.files, &draft->object);
    draft->made = false;
}

static enum err create(struct runner *self, struct draft *draft, const char *kind, struct fault *why)
{
    char prefix[FILES_KEY_MAX];
    if ((size_t)snprintf(prefix, sizeof prefix, "%s/%s", self->job.place, kind) >= sizeof prefix)
        return fault_set(why, ERR_INVALID, "the place of the job's files is too long");
    enum err err = files_create(self->tools.files, prefix, &draft->object, why);
    draft->made = err == ERR_OK;
    return err;
}

static bool is_last(const struct runner *self)
{
    return self->index + 1 == self->job.step_count;
}

/* Data that is too large for an event has nowhere to go but a file, whatever is said about intermediate files. */
static bool makes_data(const struct runner *self)
{
    const struct operation *operation = operation_find(assignment_step(&self->job, self->index).operation);
    return operation && operation->makes == MAKES_DATA;
}

static const char *output_folder(const struct runner *self)
{
    return makes_data(self) ? RESULTS_FOLDER : is_last(self) ? "outputs" : "intermediate";
}

static enum err create_drafts(struct runner *self, struct fault *why)
{
    enum err err = ERR_OK;
    if (is_last(self) || self->job.save_intermediate || makes_data(self))
        err = create(self, &self->output, output_folder(self), why);
    if (err == ERR_OK && !is_last(self))
        err = create(self, &self->spool, SPOOL_FOLDER, why);
    return err;
}

/* --- starting a step --- */

static void close_fds(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void describe(const struct runner *self, const char *stem, int64_t started_us, struct plan *out)
{
    const struct settings *settings = self->tools.settings;
    struct assignment_step step = assignment_step(&self->job, self->index);
    *out = (struct plan){.operation = step.operation,
                         .arguments = step.arguments,
                         .input_name = self->input.name,
                         .stem = stem,
                         .name_base = self->name_base,
                         .taken = self->job.taken,
                         .has_output = self->output.made,
                         .has_spool = self->spool.made,
                         .output_bytes_max = self->limits.file_bytes,
                         .memory_bytes_max = self->limits.memory_bytes,
                         .started_us = started_us,
                         .excel_deflate_level = (int)settings->excel.compression_level,
                         .excel_sheet_name = settings->excel.default_sheet_name,
                         .excel_column_width_max = settings->excel.max_column_width,
                         .excel_info_sheet = settings->excel.include_info_sheet,
                         .backup_original = settings->normalization.backup_original};
}

static void name_output(struct runner *self, int64_t started_us, char stem[OUTPUT_NAME_MAX])
{
    struct assignment_step step = assignment_step(&self->job, self->index);
    const struct operation *operation = operation_find(step.operation);
    const char *wanted = json_string_value(argument_find(&common_arguments[COMMON_OUTPUT_FILENAME], step.arguments));
    char own[OUTPUT_NAME_MAX];
    output_name_stem(wanted ? argument_file_name(wanted) : "", own);
    output_name_stem(self->input.stem_of, stem);
    bool named = own[0] != '\0';
    output_name_base(named ? own : stem, named || !operation ? "" : operation->suffix, started_us, self->name_base);
}

/* Nobody but us makes spools: one that is damaged must be known to be ours. */
static enum err check_foreign(int fd, const char *name, struct fault *why)
{
    return source_is_spool(fd) ? fault_set(why, ERR_UNSUPPORTED, "'%s' is not a spreadsheet", name) : ERR_OK;
}

static enum err open_sides(struct runner *self, struct plan *plan, int *fds, struct fault *why)
{
    struct assignment_file files[STEP_SIDES_MAX];
    enum err err = ERR_OK;
    size_t count = assignment_sides(&self->job, self->index, files, STEP_SIDES_MAX);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        plan->side_names[i] = files[i].name;
        err = files_open(self->tools.files, files[i].key, &fds[i], NULL, why);
        if (err == ERR_OK)
            err = check_foreign(fds[i], files[i].name, why);
    }
    plan->side_count = count;
    return err;
}

/* Spools are kept in a folder of that name, and nothing else is. */
static bool is_spool_key(const char *key)
{
    const char *name = strrchr(key, '/');
    size_t len = strlen("/" SPOOL_FOLDER), head = name ? (size_t)(name - key) : 0;
    return head > len && memcmp(name - len, "/" SPOOL_FOLDER, len) == 0;
}

static enum err open_input(struct runner *self, int *fd, struct fault *why)
{
    const char *key = self->input.key;
    enum err err = files_open(self->tools.files, key, fd, NULL, why);
    if (err == ERR_OK && is_spool_key(key) && !source_is_spool(*fd))
        err = fault_set(why, ERR_PROTOCOL, "What an earlier step kept is damaged (it begins wrong)");
    else if (err == ERR_OK && !is_spool_key(key))
        err = check_foreign(*fd, self->input.name, why);
    return err == ERR_NOT_FOUND ? fault_set(why, ERR_PROTOCOL, "What the step reads is missing") : err;
}

/* Fills the descriptors that the process gets; each is the caller's to close, but the drafts'. */
static enum err open_fds(struct runner *self, int *fds, size_t *count, struct fault *why)
{
    char stem[OUTPUT_NAME_MAX];
    int64_t started_us = clock_wall_us();
    struct plan plan;
    name_output(self, started_us, stem);
    describe(self, stem, started_us, &plan);
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return fault_errno(why, "cannot listen to the step's process");
    self->report_fd = pipe_fds[0];
    fds[0] = pipe_fds[1]; /* STEP_FD_REPORT is the first */
    if (fcntl(self->report_fd, F_SETFL, O_NONBLOCK) != 0)
        return fault_errno(why, "cannot listen to the step's process");
    enum err err = open_input(self, &fds[STEP_FD_INPUT - STEP_FD_REPORT], why);
    if (err == ERR_OK)
        err = open_sides(self, &plan, &fds[STEP_FD_SIDES - STEP_FD_REPORT], why);
    if (err == ERR_OK)
        err = plan_write(&plan, &fds[STEP_FD_PLAN - STEP_FD_REPORT], why);
    *count = STEP_FD_SIDES - STEP_FD_REPORT + plan.side_count;
    return err;
}

static enum err start_process(struct runner *self, struct fault *why)
{
    int fds[STEP_FDS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < STEP_FDS_MAX; i++)
        fds[i] = -1;
    enum err err = create_drafts(self, why);
    if (err == ERR_OK)
        err = open_fds(self, fds, &count, why);
    int *output = &fds[STEP_FD_OUTPUT - STEP_FD_REPORT], *spool = &fds[STEP_FD_SPOOL - STEP_FD_REPORT];
    *output = self->output.made ? self->output.object.fd : -1;
    *spool = self->spool.made ? self->spool.object.fd : -1;
    if (err == ERR_OK) {
        self->process = ++*self->tools.processes;
        err = zygote_spawn(self->tools.zygote, self->process, &self->limits, fds, count, why);
    }
    if (err != ERR_OK)
        self->process = 0;
    *output = *spool = -1; /* the drafts' own */
    close_fds(fds, STEP_FDS_MAX);
    return err;
}

static void reset_step(struct runner *self, int64_t now_ms)
{
    report_reader_fini(&self->reader);
    self->reader = REPORT_READER_INIT;
    self->last_word_known = self->report_broken = false;
    json_decref(self->result);
    self->result = NULL;
    self->progress = (struct progress){.due_ms = now_ms + self->tools.settings->workflow.progress_interval_ms};
    self->stop = STOP_NONE;
    self->step_deadline_ms =
        now_ms + (int64_t)self->tools.settings->chat_workflows.execution.step_timeout_seconds * 1000;
}

/* What goes wrong before a process runs is our fault, unless it is about the files it would read. A helper that was
 * killed at this very moment costs the run an attempt, as one killed a moment later does. */
static enum verdict_kind verdict_of_start(enum err code)
{
    if (code == ERR_UNAVAILABLE)
        return VERDICT_LOST;
    return code == ERR_PROTOCOL || code == ERR_UNSUPPORTED ? verdict_of_error(code) : VERDICT_SERVER;
}

static void start_step(struct runner *self, int64_t now_ms)
{
    struct fault why;
    reset_step(self, now_ms);
    record_progress(self, WORK_STEP_STARTED, 0, "Starting step execution");
    if (self->state != RUNNER_WORKING)
        return;
    log_debug("step starts", "job", self->job.job_id, "step", LOG_NUMBER(self->index), "operation",
              assignment_step(&self->job, self->index).operation, NULL);
    if (start_process(self, &why) != ERR_OK)
        fail(self, verdict_of_start(why.code), why.text);
}

/* --- ending a step --- */

/* {LABEL: name, "key", "bytes"}, or null for a draft that is not wanted. */
static enum err commit(struct runner *self, struct draft *draft, const char *label, const char *name, json_t **out,
                       struct fault *why)
{
    uint64_t bytes = 0;
    if (!draft->made || !name) {
        abandon(self, draft);
        *out = json_null();
        return ERR_OK;
    }
    *out = NULL;
    enum err err = files_commit(self->tools.files, &draft->object, &bytes, why);
    draft->made = false;
    if (err == ERR_OK)
        *out =
            json_pack("{s:o, s:s, s:I}", label, safe_text(name), "key", draft->object.key, "bytes", (json_int_t)bytes);
    return err;
}

/* A report that is too large is small enough to be written here. */
static enum err split_result(struct runner *self, json_t **file, struct fault *why)
{
    struct draft draft = {.made = false};
    char member[RESULT_MEMBER_MAX], *text;
    if (!result_file_split(self->result, member, &text))
        return fault_set(why, ERR_MEMORY, "no memory for a step's result");
    enum err err = create(self, &draft, RESULTS_FOLDER, why);
    if (err == ERR_OK) {
        err = files_write(&draft.object, text, strlen(text), why);
        if (err != ERR_OK)
            fault_prefix(why, "cannot write a step's result: ");
    }
    if (err == ERR_OK)
        err = commit(self, &draft, "member", member, file, why);
    abandon(self, &draft);
    free(text);
    return err;
}

/* The result travels in an event, and events are bounded: what is larger becomes a file, *file says which. */
static enum err bound_result(struct runner *self, json_t **file, struct fault *why)
{
    uint32_t max = self->tools.settings->wire.event_bytes_max;
    uint32_t room = max - max / 4;
    enum err err = ERR_OK;
    *file = NULL;
    if (!self->result)
        return fault_set(why, ERR_INTERNAL, "The step's process sent an unreadable result");
    if (self->last_word.data_file)
        err = commit(self, &self->output, "member", "data", file, why);
    else if (json_dumpb(self->result, NULL, 0, JSON_COMPACT) > room)
        err = split_result(self, file, why);
    size_t left = json_dumpb(self->result, NULL, 0, JSON_COMPACT);
    if (err == ERR_OK && left > room)
        err = fault_set(why, ERR_TOO_LARGE,
                        "The step's result has %zu bytes; an event has room for %u of %u (wire.event_bytes_max)", left,
                        room, max);
    return err;
}

static void read_next_from(struct runner *self, const json_t *spool, const char *name)
{
    const char *key = json_string_value(json_object_get(spool, "key"));
    if (key) {
        snprintf(self->input.key, sizeof self->input.key, "%s", key);
        snprintf(self->input.name, sizeof self->input.name, "spool");
        snprintf(self->input.stem_of, sizeof self->input.stem_of, "%s", name);
    }
}

static enum err keep_outputs(struct runner *self, json_t **detail, struct fault *why)
{
    const struct report *done = &self->last_word;
    char name[OUTPUT_NAME_MAX];
    json_t *file = NULL, *spool = NULL, *result_file;
    output_name_pick(self->name_base, done->suffix, self->job.taken, name);
    enum err err = bound_result(self, &result_file, why);
    if (err == ERR_OK)
        err = commit(self, &self->output, "name", done->suffix[0] ? name : NULL, &file, why);
    if (err == ERR_OK)
        err = commit(self, &self->spool, "name", done->made_table ? name : NULL, &spool, why);
    if (err != ERR_OK) {
        json_decref(file);
        json_decref(result_file);
        return err;
    }
    if (json_is_object(file))
        json_array_append_new(self->job.taken, json_string(name));
    read_next_from(self, spool, name);
    *detail = json_pack("{s:I, s:o, s:o, s:O, s:s, s:o*}", "index", (json_int_t)self->index, "file", file, "spool",
                        spool, "result", self->result, "stem_of", self->input.stem_of, "result_file", result_file);
    return ERR_OK;
}

static void finish_step(struct runner *self, int64_t now_ms)
{
    struct fault why;
    json_t *detail = NULL;
    enum err err = keep_outputs(self, &detail, &why);
    if (err != ERR_OK) {
        fail(self, verdict_of_error(err), why.text);
        return;
    }
    record(self, WORK_STEP_DONE, step_event(self, "Step completed successfully"), detail);
    if (self->state != RUNNER_WORKING)
        return;
    if (is_last(self)) {
        record(self, WORK_RUN_DONE, json_object(), json_object());
        self->state = RUNNER_ENDED;
        log_info("job done", "job", self->job.job_id, NULL);
        return;
    }
    self->index++;
    start_step(self, now_ms);
}

/* --- what the step's process says --- */

static void take_progress(struct runner *self, const struct report *report)
{
    uint8_t percent = report->percent < PERCENT_LAST ? report->percent : PERCENT_LAST;
    if (percent <= self->progress.percent)
        return;
    self->progress.percent = percent;
    self->progress.waiting = true;
    memcpy(self->progress.text, report->text, sizeof self->progress.text);
}

static void take_report(struct runner *self, const struct report *report)
{
    if (self->last_word_known)
        return;
    if (report->kind == REPORT_PROGRESS) {
        take_progress(self, report);
        return;
    }
    self->last_word_known = true;
    self->last_word = *report;
    self->last_word.result = (struct bytes){.at = NULL};
    if (report->kind == REPORT_DONE) {
        json_error_t where;
        json_t *result = json_loadb(report->result.at, report->result.len, JSON_DECODE_ANY, &where);
        self->result = json_is_null(result) ? json_object() : json_is_object(result) ? json_incref(result) : NULL;
        json_decref(result);
    }
}

static void close_report(struct runner *self)
{
    if (self->report_fd >= 0)
        close(self->report_fd);
    self->report_fd = -1;
}

/* false: nothing more for now. A pipe whose writer is gone is closed at once: polling it would never sleep. */
static bool read_reports(struct runner *self)
{
    struct report report;
    if (self->report_fd < 0)
        return false;
    enum err err = report_reader_fill(&self->reader, self->report_fd);
    if (err == ERR_TIMEOUT)
        return false;
    if (err != ERR_OK) {
        close_report(self);
        return false;
    }
    while ((err = report_reader_next(&self->reader, &report)) == ERR_OK)
        take_report(self, &report);
    if (err == ERR_PROTOCOL && !self->last_word_known)
        self->report_broken = true;
    return true;
}

void runner_readable(struct runner *self, int64_t now_ms)
{
    if (read_reports(self) && self->report_broken)
        zygote_kill(self->tools.zygote, self->process);
    runner_tick(self, now_ms);
}

bool runner_exited(struct runner *self, const struct zygote_exit *end, int64_t now_ms)
{
    if (self->process == 0 || end->id != self->process)
        return false;
    while (read_reports(self))
        ; /* the writer is dead: what is left is bounded by the pipe */
    close_report(self);
    self->process = 0;
    log_debug("step ends", "job", self->job.job_id, "step", LOG_NUMBER(self->index), "rows",
              LOG_NUMBER(self->last_word.rows_read), "cpu_ms", LOG_NUMBER(end->cpu_ms), "memory_kb",
              LOG_NUMBER(end->memory_kb), NULL);
    if (self->state == RUNNER_STOPPING) {
        runner_stop(self);
        return true;
    }
    const struct settings *settings = self->tools.settings;
    struct verdict_facts facts = {.end = end,
                                  .report = self->last_word_known ? &self->last_word : NULL,
                                  .report_broken = self->report_broken,
                                  .stop = self->stop,
                                  .limits = self->limits,
                                  .step_seconds = settings->chat_workflows.execution.step_timeout_seconds,
                                  .run_seconds = settings->chat_workflows.execution.run_timeout_seconds};
    char text[FAULT_TEXT_MAX];
    enum verdict_kind kind = verdict(&facts, text);
    if (kind == VERDICT_DONE)
        finish_step(self, now_ms);
    else
        fail(self, kind, text);
    return true;
}

/* --- time --- */

static void stop_late(struct runner *self, int64_t now_ms)
{
    if (self->stop != STOP_NONE || self->process == 0)
        return;
    if (now_ms >= self->run_deadline_ms)
        self->stop = STOP_RUN_TIMEOUT;
    else if (now_ms >= self->step_deadline_ms)
        self->stop = STOP_STEP_TIMEOUT;
    if (self->stop != STOP_NONE)
        zygote_kill(self->tools.zygote, self->process);
}

void runner_tick(struct runner *self, int64_t now_ms)
{
    if (self->state != RUNNER_WORKING)
        return;
    struct progress *progress = &self->progress;
    if (progress->waiting && now_ms >= progress->due_ms && !self->last_word_known) {
        progress->waiting = false;
        progress->due_ms = now_ms + self->tools.settings->workflow.progress_interval_ms;
        record_progress(self, WORK_PROGRESS, progress->percent, progress->text);
    }
    stop_late(self, now_ms);
}

int runner_wait_ms(const struct runner *self, int64_t now_ms)
{
    if (self->state != RUNNER_WORKING || self->stop != STOP_NONE)
        return INT32_MAX;
    int64_t due = self->step_deadline_ms < self->run_deadline_ms ? self->step_deadline_ms : self->run_deadline_ms;
    if (self->progress.waiting && self->progress.due_ms < due)
        due = self->progress.due_ms;
    int64_t wait = due - now_ms;
    return wait < 0 ? 0 : wait > INT32_MAX ? INT32_MAX : (int)wait;
}

/* --- life --- */

static void set_limits(struct runner *self, int64_t now_ms)
{
    const struct settings *settings = self->tools.settings;
    self->limits = (struct sandbox_limits){
        .memory_bytes = (uint64_t)settings->workflow.step_memory_mb * MIB,
        .file_bytes = (uint64_t)settings->workflow.output_bytes_max_mb * MIB,
        .cpu_seconds = settings->workflow.cpu_seconds,
    };
    self->run_deadline_ms = now_ms + (int64_t)settings->chat_workflows.execution.run_timeout_seconds * 1000;
}

enum err runner_new(struct runner **out, const struct runner_tools *tools, struct token token, struct bytes job,
                    int64_t now_ms)
{
    struct fault why;
    struct runner *self = calloc(1, sizeof *self);
    *out = self;
    if (!self)
        return ERR_MEMORY;
    self->tools = *tools;
    self->token = token;
    self->report_fd = -1;
    self->reader = REPORT_READER_INIT;
    set_limits(self, now_ms);
    if (assignment_read(&self->job, job, &why) != ERR_OK) {
        self->job.step_count = 0;
        fail(self, VERDICT_SERVER, why.text);
        return ERR_OK;
    }
    self->index = self->job.first_step;
    snprintf(self->input.name, sizeof self->input.name, "%s", self->job.input.name);
    snprintf(self->input.key, sizeof self->input.key, "%s", self->job.input.key);
    snprintf(self->input.stem_of, sizeof self->input.stem_of, "%s", self->job.stem_of);
    log_info("job taken", "job", self->job.job_id, "from_step", LOG_NUMBER(self->index), NULL);
    start_step(self, now_ms);
    return ERR_OK;
}

void runner_destroy(struct runner **self_p)
{
    struct runner *self = *self_p;
    if (self) {
        if (self->process)
            zygote_kill(self->tools.zygote, self->process);
        close_report(self);
        abandon(self, &self->output);
        abandon(self, &self->spool);
        report_reader_fini(&self->reader);
        json_decref(self->result);
        assignment_fini(&self->job);
    }
    free(self);
    *self_p = NULL;
}

struct token runner_token(const struct runner *self)
{
    return self->token;
}

bool runner_ended(const struct runner *self)
{
    return self->state == RUNNER_ENDED;
}

int runner_report_fd(const struct runner *self)
{
    return self->report_fd;
}

void runner_stop(struct runner *self)
{
    if (self->process) {
        self->state = RUNNER_STOPPING;
        zygote_kill(self->tools.zygote, self->process);
        return;
    }
    close_report(self);
    abandon(self, &self->output);
    abandon(self, &self->spool);
    self->state = RUNNER_ENDED;
}
