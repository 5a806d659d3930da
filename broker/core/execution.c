#include "core/execution.h"

#include "core/answer.h"
#include "core/compose.h"
#include "core/lease.h"
#include "core/note.h"
#include "core/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX         (JOB_ID_MAX + ID_UUID_LEN + 2)
#define NAME_TRIES      10000
#define FILE_NAME_MAX   256
#define RESULT_NAME_MAX (ID_UUID_LEN + sizeof ".json")

/* Members of progress events the broker writes itself. */
static const char *const progress_ours[] = {"step_id", "operation", "progress", "status", "message", NULL};

static void progress_key(const struct job *job, uint32_t i, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "%s/%s", job->id, job->steps[i].id);
}

/* Progress of a step as it stands in the job; other members of the worker's event pass. */
static void tell_progress(struct core *core, struct job *job, uint32_t i, const char *status,
                          const struct json_members *event, bool closing)
{
    const struct step *step = &job->steps[i];
    struct compose extra = COMPOSE_INIT;
    compose_text(&extra, "step_id", step->id);
    compose_text(&extra, "operation", step->operation);
    compose_int(&extra, "progress", step->progress);
    compose_text(&extra, "status", status);
    compose_text(&extra, "message", step->message);
    char key[KEY_MAX];
    progress_key(job, i, key);
    if (extra.err != ERR_OK)
        core_fail(core, extra.err);
    else
        record_progress(core, job->chat,
                        &(struct draft){.type = "progress",
                                        .job = job,
                                        .extra = buf_text(&extra.buf),
                                        .members = event,
                                        .dropped = progress_ours},
                        key, closing);
    compose_fini(&extra);
}

/* A durable event whose members are `extra`; ends with its closing progress when key is given. */
static uint64_t tell(struct core *core, struct job *job, const char *type, struct compose *extra, const char *key)
{
    uint64_t seq = 0;
    if (extra->err != ERR_OK)
        core_fail(core, extra->err);
    else
        seq = record_event(core, job->chat, &(struct draft){.type = type, .job = job, .extra = buf_text(&extra->buf)},
                           key);
    compose_fini(extra);
    return seq;
}

static void start(struct core *core, struct job *job)
{
    if (job->started_us > 0)
        return;
    job->started_us = core->now.wall_us;
    struct compose extra = COMPOSE_INIT;
    compose_int(&extra, "total_steps", job->step_count);
    if (job->retry_of[0]) {
        compose_text(&extra, "retry_of", job->retry_of);
        compose_int(&extra, "first_step", job_next_step(job));
    }
    compose_text(&extra, "message", "Workflow execution started");
    tell(core, job, "workflow_started", &extra, NULL);
}

void execution_lease(struct core *core, struct job *job, bool fresh)
{
    job->status = JOB_RUNNING;
    chat_progress_drop_job(job->chat, job);
    uint32_t i = job_next_step(job);
    if (fresh && i < job->step_count)
        job->steps[i].progress = 0;
    start(core, job);
    job_put(core, job);
}

/* ---- the job a worker gets ---- */

/* The newest spool before step i, else the input the job was accepted with. */
static const char *input_key(const struct job *job, uint32_t i)
{
    while (i-- > 0)
        if (job->steps[i].spool_key[0])
            return job->steps[i].spool_key;
    return job->input_key;
}

static void write_steps(const struct job *job, struct compose *out)
{
    compose_plain(out, ",\"steps\":[");
    for (uint32_t i = 0; i < job->step_count; i++) {
        const struct step *step = &job->steps[i];
        compose_plain(out, i ? ",{" : "{");
        compose_text(out, "step_id", step->id);
        compose_text(out, "operation", step->operation);
        compose_raw(out, "arguments", step->arguments);
        compose_plain(out, "}");
    }
    compose_plain(out, "]");
}

/* How many of the chat's files there were when the run was accepted: its input was the newest upload then. A retry may
 * have been asked for because a file was missing, so it knows all of them. */
static size_t uploads_known(const struct job *job)
{
    const struct chat *chat = job->chat;
    for (size_t i = chat->file_count; i > 0 && job->retry_of[0] == '\0'; i--)
        if (strcmp(chat->files[i - 1].key, job->input_key) == 0)
            return i;
    return chat->file_count;
}

static void write_file(const struct job *job, const struct chat_file *file, struct compose *out)
{
    compose_text(out, "name", file->name);
    compose_text(out, "key", file->key);
    if (file->type == FILE_UPLOADED && strcmp(file->name, job->input_name) != 0)
        compose_raw(out, "beside_input", "true");
}

static void write_names(const struct job *job, struct compose *out)
{
    const struct chat *chat = job->chat;
    size_t known = uploads_known(job);
    const char *comma = "";
    compose_plain(out, ",\"taken\":[");
    for (size_t i = 0; i < chat->file_count; i++) {
        compose_plain(out, i ? "," : "");
        compose_string(out, chat->files[i].name);
    }
    compose_plain(out, "],\"files\":[");
    for (size_t i = 0; i < chat->file_count; i++) {
        if (i >= known && chat->files[i].type == FILE_UPLOADED)
            continue;
        compose_plain(out, comma);
        compose_plain(out, "{");
        write_file(job, &chat->files[i], out);
        compose_plain(out, "}");
        comma = ",";
    }
    compose_plain(out, "]");
}

enum err execution_write_job(const struct core *core, const struct job *job, struct buf *out)
{
    const struct chat *chat = job->chat;
    uint32_t first = job_next_step(job);
    const char *stem = first < job->step_count ? job->steps[first].input_file : "";
    stem = stem[0] ? stem : job->input_name;
    char place[PARTITION_MAX + ID_CHAT_MAX + 2];
    snprintf(place, sizeof place, "%s/%s", chat->partition, chat->id);
    struct compose json = COMPOSE_INIT;
    compose_plain(&json, "{");
    compose_text(&json, "job_id", job->id);
    compose_text(&json, "chat_id", chat->id);
    compose_int(&json, "attempt", job->attempts);
    compose_text(&json, "place", place);
    compose_int(&json, "first_step", first);
    compose_plain(&json, ",\"input\":{");
    compose_text(&json, "name", stem);
    compose_text(&json, "key", input_key(job, first));
    compose_plain(&json, "}");
    compose_text(&json, "stem_of", stem);
    write_steps(job, &json);
    write_names(job, &json);
    compose_raw(&json, "save_intermediate", core->settings.save_intermediate_files ? "true" : "false");
    compose_plain(&json, "}");
    enum err err = json.err == ERR_OK ? buf_add(out, json.buf.data, json.buf.len) : json.err;
    compose_fini(&json);
    return err;
}

/* ---- steps ---- */

void execution_step_started(struct core *core, struct job *job, uint32_t i, const struct json_members *event)
{
    struct step *step = &job->steps[i];
    step->status = STEP_RUNNING;
    step->started_us = core->now.wall_us;
    if (step->input_file[0] == '\0')
        job_set_text(core, &step->input_file, job->input_name);
    job_set_text(core, &step->message, "Starting step execution");
    job_put_step(core, job, i);
    tell_progress(core, job, i, "running", event, false);
}

void execution_progress(struct core *core, struct job *job, uint32_t i, const struct json_members *event)
{
    struct step *step = &job->steps[i];
    int64_t percent;
    if (step->status == STEP_COMPLETED || step->status == STEP_FAILED ||
        !json_member_int(json_members_find(event, "progress"), &percent))
        return;
    if (percent < step->progress || percent > 99)
        return; /* never back within an attempt; 100 belongs to the result */
    step->progress = (uint32_t)percent;
    char message[512];
    if (json_member_plain_text(json_members_find(event, "message"), message, sizeof message))
        job_set_text(core, &step->message, message);
    tell_progress(core, job, i, "running", event, false);
}

/* NAME, or NAME-2, NAME-3, ... before the extension when the chat has such a file already. */
static void free_name(const struct chat *chat, const char *name, char out[FILE_NAME_MAX])
{
    snprintf(out, FILE_NAME_MAX, "%s", name);
    const char *dot = strrchr(name, '.');
    int stem = (int)(dot && dot != name ? (size_t)(dot - name) : strlen(name));
    for (int n = 2; chat_name_taken(chat, out) && n < NAME_TRIES; n++)
        snprintf(out, FILE_NAME_MAX, "%.*s-%d%s", stem < 200 ? stem : 200, name, n, name + stem);
}

static void add_file(struct core *core, struct job *job, const struct file_row *file)
{
    char id[ID_UUID_LEN + 1];
    core_uuid(core, id);
    chat_add_file(core, job->chat, file->name, file->key, file->type);
    struct change change = {.kind = CHANGE_FILE_ADD, .of.file = *file};
    change.of.file.file_id = id;
    change.of.file.chat_id = job->chat->id;
    change.of.file.created_us = core->now.wall_us;
    change.of.file.job_id = job->id;
    core_change(core, &change);
}

static void keep_file(struct core *core, struct job *job, uint32_t i, const struct step_outcome *outcome)
{
    char name[FILE_NAME_MAX];
    free_name(job->chat, outcome->file_name, name);
    job_set_text(core, &job->steps[i].output_file, name);
    add_file(
        core, job,
        &(struct file_row){
            .name = name, .key = outcome->file_key, .type = job_output_type(job, i), .bytes = outcome->file_bytes});
}

/* Nothing else in the chat has this name, whatever its people upload. */
static void result_name(const struct job *job, uint32_t i, char out[RESULT_NAME_MAX])
{
    snprintf(out, RESULT_NAME_MAX, "%s.json", job->steps[i].id);
}

static void keep_result_file(struct core *core, struct job *job, uint32_t i, const struct step_outcome *outcome)
{
    char name[RESULT_NAME_MAX];
    result_name(job, i, name);
    add_file(core, job,
             &(struct file_row){
                 .name = name, .key = outcome->result_key, .type = FILE_RESULT, .bytes = outcome->result_bytes});
}

/* Ids and step ids need no escape in a path. */
static void add_result_file(const struct core *core, const struct job *job, uint32_t i,
                            const struct step_outcome *outcome, struct compose *json)
{
    char name[RESULT_NAME_MAX];
    struct buf url = BUF_INIT(8192);
    result_name(job, i, name);
    enum err err = buf_printf(&url, "%s/chat/workflows/%s/files/%s", core->settings.api_prefix, job->chat->id, name);
    if (json->err == ERR_OK)
        json->err = err;
    compose_text(json, "result_url", buf_text(&url));
    compose_int(json, "result_bytes", (int64_t)outcome->result_bytes);
    compose_text(json, "result_member", outcome->result_member);
    compose_text(json, "result_file", name);
    buf_fini(&url);
}

/* {"output_file_path":...,"name":...,RESULT,and of a large one result_url, _bytes, _member, _file} */
static void write_result(struct core *core, struct job *job, uint32_t i, const struct step_outcome *outcome,
                         const char *result)
{
    struct step *step = &job->steps[i];
    struct buf path = BUF_INIT(8192);
    struct compose json = COMPOSE_INIT;
    if (step->output_file[0])
        json.err = chat_path(core, job->chat, job_output_type(job, i), step->output_file, &path);
    compose_plain(&json, "{");
    compose_text_or_null(&json, "output_file_path", buf_text(&path));
    compose_text_or_null(&json, "name", step->output_file);
    if (result[0]) {
        compose_plain(&json, ",");
        compose_plain(&json, result);
    }
    if (outcome->result_key)
        add_result_file(core, job, i, outcome, &json);
    compose_plain(&json, "}");
    if (json.err == ERR_OK)
        job_set_text(core, &step->result, buf_text(&json.buf));
    else
        core_fail(core, json.err);
    compose_fini(&json);
    buf_fini(&path);
}

static uint64_t tell_result(struct core *core, struct job *job, uint32_t i)
{
    const struct step *step = &job->steps[i];
    char key[KEY_MAX];
    progress_key(job, i, key);
    struct compose extra = COMPOSE_INIT;
    compose_text(&extra, "step_id", step->id);
    compose_text(&extra, "operation", step->operation);
    compose_raw(&extra, "result", step->result);
    return tell(core, job, "step_result", &extra, key);
}

static void result_message(struct core *core, struct job *job, uint32_t i)
{
    const struct step *step = &job->steps[i];
    struct compose metadata = COMPOSE_INIT;
    compose_plain(&metadata, "{");
    compose_text(&metadata, "job_id", job->id);
    compose_text(&metadata, "step_id", step->id);
    compose_text(&metadata, "operation", step->operation);
    compose_text_or_null(&metadata, "output_file", step->output_file);
    compose_plain(&metadata, "}");
    char content[300];
    snprintf(content, sizeof content, "Step %" PRIu32 "/%" PRIu32 " completed: %.200s", i + 1, job->step_count,
             step->operation);
    record_message(core, job->chat, "step_result", content, buf_text(&metadata.buf));
    compose_fini(&metadata);
}

/* The row is written after the event: only then its result is known to fit into one. */
void execution_step_done(struct core *core, struct job *job, uint32_t i, const struct step_outcome *outcome)
{
    struct step *step = &job->steps[i];
    step->status = STEP_COMPLETED;
    step->progress = 100;
    step->completed_us = core->now.wall_us;
    job_set_text(core, &step->message, "Step completed successfully");
    if (outcome->spool_key)
        job_set_text(core, &step->spool_key, outcome->spool_key);
    if (outcome->file_name)
        keep_file(core, job, i, outcome);
    if (outcome->result_key)
        keep_result_file(core, job, i, outcome);
    tell_progress(core, job, i, "completed", NULL, true);
    write_result(core, job, i, outcome, outcome->result);
    if (tell_result(core, job, i) == 0 && core->err == ERR_OK) {
        write_result(core, job, i, outcome, "\"truncated\":true"); /* larger than an event may be */
        tell_result(core, job, i);
    }
    result_message(core, job, i);
    job_put_step(core, job, i);
    if (i + 1 == job->step_count)
        return;
    const char *stem = outcome->stem_of ? outcome->stem_of : step->output_file;
    job_set_text(core, &job->steps[i + 1].input_file, stem[0] ? stem : step->input_file);
    job_put_step(core, job, i + 1);
}

/* ---- ends ---- */

static void drop_spool(struct core *core, struct job *job, uint32_t i)
{
    struct step *step = &job->steps[i];
    if (step->spool_key[0] == '\0')
        return;
    core_change(core, &(struct change){.kind = CHANGE_GARBAGE_ADD, .of.garbage_key = step->spool_key});
    job_set_text(core, &step->spool_key, "");
    core_effect(core, EFFECT_SWEEP);
}

void execution_drop_spools(struct core *core, struct job *job)
{
    for (uint32_t i = 0; i < job->step_count; i++) {
        bool had = job->steps[i].spool_key[0];
        drop_spool(core, job, i);
        if (had)
            job_put_step(core, job, i);
    }
    if (!job->spools_gone) {
        job->spools_gone = true;
        job_put(core, job);
    }
}

bool execution_step_back(struct core *core, struct job *job)
{
    uint32_t upto = job_next_step(job), from = upto;
    while (from > 0 && job->steps[from - 1].spool_key[0] == '\0')
        from--;
    if (from == 0)
        return false;
    chat_progress_drop_job(job->chat, job);
    for (uint32_t i = from - 1; i <= upto && i < job->step_count; i++) {
        struct step *step = &job->steps[i];
        drop_spool(core, job, i);
        step->status = STEP_PENDING;
        step->progress = 0;
        step->started_us = step->completed_us = 0;
        job_set_text(core, &step->result, "");
        job_set_text(core, &step->output_file, "");
        job_set_text(core, &step->message, "");
        job_put_step(core, job, i);
    }
    return true;
}

static void answer_waiters(struct core *core, struct job *job)
{
    while (job->waiters) {
        const struct waiter *waiter = job->waiters;
        answer_job_end(core, &waiter->peer, waiter->id, job);
        job_forget_waiter(core, waiter->id);
    }
}

static const char *const job_end_words[] = {
    [JOB_COMPLETED] = "job completed", [JOB_FAILED] = "job failed", [JOB_CANCELLED] = "job cancelled"};

/* Everything but the terminal event. */
static void end(struct core *core, struct job *job, enum job_status status)
{
    struct chat *chat = job->chat;
    job_unlink(core, job);
    job->status = status;
    job->completed_us = core->now.wall_us;
    bool newest = !chat->jobs && !(chat->newest && chat->newest->submitted_us > job->submitted_us);
    if (status == JOB_COMPLETED || !newest)
        execution_drop_spools(core, job); /* a run that may be retried keeps them until the next one is accepted */
    job_put(core, job);
    chat_progress_drop_job(chat, job);
    chat->status = chat->jobs ? CHAT_PROCESSING : status == JOB_COMPLETED ? CHAT_COMPLETED : CHAT_FAILED;
    chat_put(core, chat);
    answer_waiters(core, job);
    note_write(core, false, job_end_words[status], job, NULL, job->error);
    if (chat->newest)
        job_destroy(core, chat->newest);
    chat->newest = job;
    if (chat->jobs)
        turns_join(&core->turns, &chat->turn);
}

/* A run that went back, and fails before anybody began that step again: under the number it has, people saw the step
 * done. Another one costs nothing. */
static void number_anew(struct job *job, const struct step *step)
{
    if (job->set_back == 0 || step->started_us > 0)
        return;
    job->attempts++;
    job->set_back++;
}

/* The step that broke the run: closing progress, error event, message. */
static void fail_step(struct core *core, struct job *job, uint32_t i, const char *reason)
{
    struct step *step = &job->steps[i];
    char key[KEY_MAX];
    number_anew(job, step);
    progress_key(job, i, key);
    struct buf text = BUF_INIT(FAULT_TEXT_MAX * 2);
    if (buf_printf(&text, "Step failed: %s", reason) != ERR_OK)
        buf_clear(&text);
    step->status = STEP_FAILED;
    step->completed_us = core->now.wall_us;
    job_set_text(core, &step->error, reason);
    job_set_text(core, &step->message, buf_text(&text));
    buf_fini(&text);
    tell_progress(core, job, i, "failed", NULL, true);
    struct compose extra = COMPOSE_INIT;
    compose_text(&extra, "step_id", step->id);
    compose_text(&extra, "operation", step->operation);
    compose_text(&extra, "message", reason);
    compose_int(&extra, "progress", step->progress); /* how far it came; the closing progress can be told from this */
    tell(core, job, "error", &extra, key);
    job_put_step(core, job, i);
    struct compose metadata = COMPOSE_INIT;
    compose_plain(&metadata, "{");
    compose_text(&metadata, "job_id", job->id);
    compose_text(&metadata, "step_id", step->id);
    compose_text(&metadata, "operation", step->operation);
    compose_plain(&metadata, "}");
    record_message(core, job->chat, "error", reason, buf_text(&metadata.buf));
    compose_fini(&metadata);
}

void execution_fail(struct core *core, struct job *job, const char *reason, bool server_fault)
{
    char cut[FAULT_TEXT_MAX];
    struct fault text; /* cuts a reason of any length at a character's boundary */
    fault_set(&text, ERR_INVALID, "%s", reason);
    memcpy(cut, text.text, sizeof cut);
    start(core, job);
    uint32_t i = job_next_step(job);
    if (i < job->step_count)
        fail_step(core, job, i, cut);
    fault_set(&text, ERR_INVALID, "Workflow failed at step %" PRIu32 "/%" PRIu32 ": %s",
              i < job->step_count ? i + 1 : job->step_count, job->step_count, cut);
    job_set_text(core, &job->error, text.text);
    job->server_fault = server_fault;
    struct compose extra = COMPOSE_INIT;
    compose_text(&extra, "error", text.text);
    compose_text(&extra, "message", "Workflow execution failed");
    tell(core, job, "workflow_failed", &extra, NULL);
    end(core, job, JOB_FAILED);
}

void execution_complete(struct core *core, struct job *job)
{
    uint32_t files = 0;
    for (uint32_t i = 0; i < job->step_count; i++)
        files += job->steps[i].output_file[0] != '\0';
    struct compose extra = COMPOSE_INIT;
    compose_int(&extra, "total_steps", job->step_count);
    compose_int(&extra, "output_files_count", files);
    compose_text(&extra, "message", "Workflow execution completed successfully");
    tell(core, job, "workflow_completed", &extra, NULL);
    end(core, job, JOB_COMPLETED);
}

void execution_cancel(struct core *core, struct job *job, const char *why)
{
    if (job->phase == JOB_LEASED && job->worker)
        lease_revoke(core, &job->worker->peer, &job->token, why);
    job_set_text(core, &job->error, why);
    struct compose extra = COMPOSE_INIT;
    compose_text(&extra, "message", why);
    tell(core, job, "workflow_cancelled", &extra, NULL);
    end(core, job, JOB_CANCELLED);
}

void execution_finish_without_worker(struct core *core, struct job *job)
{
    if (job->attempts == 0)
        job->attempts = 1;
    start(core, job);
    execution_complete(core, job);
}
