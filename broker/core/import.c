#include "core/import.h"

#include "clock.h"
#include "core/compose.h"
#include "core/handlers.h"
#include "core/import_check.h"
#include "core/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNFINISHED "The run had not ended when the dump was made"

/* A record on its way in. Everything that can be refused is made before the chat is touched. */
struct import {
    struct core *core;
    struct chat *chat;
    const json_t *record;
    char epoch[EPOCH_MAX];
    struct strmap *steps;     /* a step's id in the dump -> its new id, owned by ids */
    struct strmap *jobs;      /* ids */
    struct strmap *event_ids; /* seen; a second event of an id has none */
    char (*ids)[ID_UUID_LEN + 1];
    size_t id_count;
    struct tail_event **events; /* stamped, from 1 on; those given to the chat are NULL */
    size_t event_count;
};

static int64_t time_of(const struct import *self, const json_t *object, const char *key)
{
    return import_number(object, key, self->core->now.wall_us); /* nothing in a dump lies in the future */
}

static const json_t *list_of(const struct import *self, const char *key)
{
    return json_object_get(self->record, key);
}

/* ---- ids ---- */

static size_t count_steps(const struct import *self)
{
    size_t count = 0, i;
    const json_t *job;
    json_array_foreach(list_of(self, "jobs"), i, job) count += json_array_size(json_object_get(job, "steps"));
    return count;
}

static enum err new_step_ids(struct import *self, const json_t *job)
{
    const json_t *step;
    size_t i;
    enum err err = ERR_OK;
    json_array_foreach(json_object_get(job, "steps"), i, step)
    {
        const char *old = import_text(step, "step_id");
        char *id = self->ids[self->id_count++];
        core_uuid(self->core, id);
        if (err == ERR_OK)
            err = strmap_put(self->steps, old, strlen(old), id, NULL);
    }
    return err;
}

static enum err new_ids(struct import *self, struct fault *why)
{
    const json_t *job;
    size_t i;
    enum err err = strmap_new(&self->steps);
    if (err == ERR_OK)
        err = strmap_new(&self->jobs);
    if (err == ERR_OK)
        err = strmap_new(&self->event_ids);
    self->ids = calloc(count_steps(self) + 1, sizeof *self->ids);
    if (err != ERR_OK || !self->ids)
        return ERR_MEMORY;
    json_array_foreach(list_of(self, "jobs"), i, job)
    {
        const char *id = import_text(job, "job_id");
        void *before = NULL;
        if (err == ERR_OK)
            err = strmap_put(self->jobs, id, strlen(id), self, &before);
        if (before)
            return fault_set(why, ERR_INVALID, "The dump's record names a job twice: %.200s", id);
        if (err == ERR_OK)
            err = new_step_ids(self, job);
    }
    return err;
}

static const char *known_id(const struct import *self, const char *id)
{
    return strmap_get(self->jobs, id, strlen(id)) ? id : "";
}

static const char *known_job(const struct import *self, const json_t *object)
{
    return known_id(self, import_text(object, "job_id"));
}

/* ---- events ---- */

static enum err keep_event(struct import *self, const char *type, const struct stamp *stamp, const char *extra,
                           const struct json_members *members, const char *const *dropped, struct fault *why)
{
    struct buf body = BUF_INIT(self->core->settings.event_bytes_max);
    enum err err = stamp_write(&body, stamp, extra, members, dropped);
    if (err == ERR_OK)
        self->events[self->event_count] = tail_event_new(self->core, type, stamp->seq, body.data, body.len);
    buf_fini(&body);
    if (err == ERR_FULL)
        return fault_set(why, ERR_INVALID, "Event %llu of the dump's record is larger than wire.event_bytes_max",
                         (unsigned long long)stamp->seq);
    self->event_count += err == ERR_OK && self->events[self->event_count];
    return err == ERR_OK ? self->core->err : err;
}

/* The new id of the step an event is about, as a member; "" when it is about none. */
static void step_member(const struct import *self, const struct json_members *members, char *out, size_t size)
{
    char old[ID_CHAT_MAX + 1];
    out[0] = '\0';
    if (!json_member_plain_text(json_members_find(members, "step_id"), old, sizeof old))
        return;
    const char *id = strmap_get(self->steps, old, strlen(old));
    if (id)
        snprintf(out, size, "\"step_id\":\"%s\"", id);
}

static enum err restamp(struct import *self, const json_t *event, struct fault *why)
{
    static const char *const step_id[] = {"step_id", NULL};
    const json_t *text = json_object_get(event, "body");
    const char *job = known_job(self, event);
    struct json_members members;
    char extra[ID_UUID_LEN + 16], source[16];
    int64_t attempt = 0;
    enum err err = json_scan_object(json_string_value(text), json_string_length(text), &members, why);
    if (err != ERR_OK)
        return err;
    step_member(self, &members, extra, sizeof extra);
    (void)json_member_int(json_members_find(&members, "attempt"), &attempt);
    bool outside = json_member_plain_text(json_members_find(&members, "source"), source, sizeof source);
    char timestamp[CLOCK_TEXT_MAX];
    clock_rfc3339(time_of(self, event, "created_us"), timestamp);
    struct stamp stamp = {.type = import_text(event, "type"),
                          .chat_id = self->chat->id,
                          .seq = self->event_count + 1,
                          .epoch = self->epoch,
                          .timestamp = timestamp,
                          .job_id = job[0] ? job : NULL,
                          .attempt = attempt > 0 && attempt < UINT32_MAX ? (uint32_t)attempt : 0,
                          .outside = outside && !job[0]};
    return keep_event(self, stamp.type, &stamp, extra[0] ? extra : NULL, &members, extra[0] ? step_id : NULL, why);
}

static bool is_final(const json_t *job)
{
    return job_status_final((enum job_status)job_status_of(import_text(job, "status")));
}

/* The last word of a run the dump caught in its middle. */
static enum err end_event(struct import *self, const json_t *job, struct fault *why)
{
    struct stamp stamp = {.type = "workflow_failed",
                          .chat_id = self->chat->id,
                          .seq = self->event_count + 1,
                          .epoch = self->epoch,
                          .timestamp = core_now_text(self->core),
                          .job_id = import_text(job, "job_id"),
                          .attempt = (uint32_t)import_number(job, "attempts", UINT32_MAX)};
    static const char extra[] = "\"error\":\"" UNFINISHED "\",\"message\":\"Workflow execution failed\"";
    return keep_event(self, stamp.type, &stamp, extra, NULL, NULL, why);
}

static enum err make_events(struct import *self, struct fault *why)
{
    const json_t *events = list_of(self, "events"), *jobs = list_of(self, "jobs"), *one;
    size_t i, room = json_array_size(events) + json_array_size(jobs) + 1;
    enum err err = ERR_OK;
    self->events = calloc(room, sizeof(struct tail_event *));
    if (!self->events)
        return ERR_MEMORY;
    json_array_foreach(events, i, one)
    {
        err = err == ERR_OK ? restamp(self, one, why) : err;
    }
    json_array_foreach(jobs, i, one)
    {
        err = err == ERR_OK && !is_final(one) ? end_event(self, one, why) : err;
    }
    return err;
}

/* ---- the rows ---- */

static void put_messages(struct import *self)
{
    const json_t *message;
    size_t i;
    json_array_foreach(list_of(self, "messages"), i, message)
    {
        char id[ID_UUID_LEN + 1];
        const json_t *metadata = json_object_get(message, "metadata");
        char *text = metadata ? json_dumps(metadata, JSON_COMPACT) : NULL;
        core_uuid(self->core, id);
        core_change(self->core, &(struct change){.kind = CHANGE_MESSAGE_ADD,
                                                 .of.message = {.message_id = id,
                                                                .chat_id = self->chat->id,
                                                                .message_type = import_text(message, "message_type"),
                                                                .content = import_text(message, "content"),
                                                                .metadata = text ? text : "{}",
                                                                .created_us = time_of(self, message, "created_us")}});
        free(text);
    }
}

static void put_files(struct import *self)
{
    const json_t *file;
    size_t i;
    json_array_foreach(list_of(self, "files"), i, file)
    {
        char id[ID_UUID_LEN + 1];
        core_uuid(self->core, id);
        struct file_row row = {.file_id = id,
                               .chat_id = self->chat->id,
                               .name = import_text(file, "name"),
                               .key = import_text(file, "key"),
                               .type = (enum file_type)file_type_of(import_text(file, "type")),
                               .bytes = (uint64_t)import_number(file, "bytes", INT64_MAX),
                               .created_us = time_of(self, file, "created_us"),
                               .job_id = known_job(self, file)};
        core_change(self->core, &(struct change){.kind = CHANGE_FILE_ADD, .of.file = row});
        chat_add_file(self->core, self->chat, row.name, row.key, row.type);
    }
}

static void put_step(struct import *self, const json_t *job, uint32_t i, const json_t *step)
{
    const char *old = import_text(step, "step_id");
    enum step_status status = (enum step_status)step_status_of(import_text(step, "status"));
    struct step_row row = {.step_id = strmap_get(self->steps, old, strlen(old)),
                           .chat_id = self->chat->id,
                           .job_id = import_text(job, "job_id"),
                           .index = i,
                           .operation = import_text(step, "operation"),
                           .arguments = import_text(step, "arguments"),
                           .input_file = import_text(step, "input_file"),
                           .output_file = import_text(step, "output_file"),
                           .spool_key = "",
                           .result = import_text(step, "result"),
                           .status = status == STEP_RUNNING ? STEP_FAILED : status,
                           .progress = (uint32_t)import_number(step, "progress", 100),
                           .error_message = status == STEP_RUNNING ? UNFINISHED : import_text(step, "error_message"),
                           .started_us = time_of(self, step, "started_us"),
                           .completed_us = time_of(self, step, "completed_us")};
    core_change(self->core, &(struct change){.kind = CHANGE_STEP_PUT, .of.step = row});
    if (core_load_step(self->core, &row) != ERR_OK)
        core_fail(self->core, ERR_MEMORY);
}

static const char *input_key(const struct import *self, const json_t *job)
{
    const json_t *input = json_object_get(job, "input");
    return json_is_integer(input)
               ? import_text(json_array_get(list_of(self, "files"), (size_t)json_integer_value(input)), "key")
               : "";
}

static void put_job(struct import *self, const json_t *job)
{
    const json_t *steps = json_object_get(job, "steps"), *step;
    bool final = is_final(job);
    size_t i;
    struct job_row row = {.job_id = import_text(job, "job_id"),
                          .spools_gone = true, /* a dump has none */
                          .chat_id = self->chat->id,
                          .status = final ? (enum job_status)job_status_of(import_text(job, "status")) : JOB_FAILED,
                          .attempts = (uint32_t)import_number(job, "attempts", UINT32_MAX),
                          .input_name = import_text(job, "input_name"),
                          .input_key = input_key(self, job),
                          .trace = "",
                          .retry_of = known_id(self, import_text(job, "retry_of")),
                          .error = final ? import_text(job, "error") : UNFINISHED,
                          .total_steps = (uint32_t)json_array_size(steps),
                          .submitted_us = time_of(self, job, "submitted_us"),
                          .started_us = time_of(self, job, "started_us"),
                          .completed_us = final ? time_of(self, job, "completed_us") : self->core->now.wall_us};
    core_change(self->core, &(struct change){.kind = CHANGE_JOB_PUT, .of.job = row});
    if (core_load_job(self->core, &row) != ERR_OK) /* the newest stays in memory, for snapshots */
        return;
    json_array_foreach(steps, i, step) put_step(self, job, (uint32_t)i, step);
}

static void put_jobs(struct import *self)
{
    const json_t *job;
    size_t i;
    self->core->loading = self->chat;
    json_array_foreach(list_of(self, "jobs"), i, job)
    {
        if (self->core->err == ERR_OK)
            put_job(self, job);
    }
    self->core->loading = NULL;
}

/* An event id only once: the record holds it unique. */
static const char *event_id_of(struct import *self, size_t i)
{
    const char *id = import_text(json_array_get(list_of(self, "events"), i), "event_id");
    void *before = NULL;
    if (!id[0])
        return "";
    if (strmap_put(self->event_ids, id, strlen(id), self, &before) != ERR_OK)
        core_fail(self->core, ERR_MEMORY);
    return before ? "" : id;
}

/* The job an event belongs to: of the dump's events their own, after them the ends of unfinished runs. */
static const char *job_id_of(const struct import *self, size_t i, size_t *unfinished)
{
    const json_t *events = list_of(self, "events"), *jobs = list_of(self, "jobs");
    if (i < json_array_size(events))
        return known_job(self, json_array_get(events, i));
    while (is_final(json_array_get(jobs, *unfinished)))
        ++*unfinished;
    return import_text(json_array_get(jobs, (*unfinished)++), "job_id");
}

static const char *type_of(const struct import *self, size_t i)
{
    const json_t *event = json_array_get(list_of(self, "events"), i);
    return event ? import_text(event, "type") : "workflow_failed";
}

static void put_events(struct import *self)
{
    size_t unfinished = 0;
    for (size_t i = 0; i < self->event_count; i++) {
        struct tail_event *event = self->events[i];
        const json_t *from = json_array_get(list_of(self, "events"), i);
        const char *event_id = event_id_of(self, i);
        if (event_id[0] && strlen(event_id) <= EVENT_ID_MAX) /* it may be sent again in this very turn */
            outside_remember(self->core, self->chat, event_id, event->seq);
        core_change(self->core, &(struct change){.kind = CHANGE_EVENT_ADD,
                                                 .of.event = {.chat_id = self->chat->id,
                                                              .type = type_of(self, i),
                                                              .job_id = job_id_of(self, i, &unfinished),
                                                              .seq = event->seq,
                                                              .event_id = event_id,
                                                              .body = event->body,
                                                              .body_len = event->len,
                                                              .created_us = from ? time_of(self, from, "created_us")
                                                                                 : self->core->now.wall_us}});
        self->chat->head = event->seq;
        self->events[i] = NULL;
        chat_tail_push(self->core, self->chat, event);
    }
}

/* ---- the chat ---- */

static void remove_old(struct core *core, struct chat *chat)
{
    if (!chat->exists)
        return;
    if (chat->room)
        core->rooms--;
    core_change(core, &(struct change){.kind = CHANGE_CHAT_DELETE,
                                       .of.chat = {.chat_id = chat->id, .updated_us = core->now.wall_us}});
    core_effect(core, EFFECT_SWEEP);
    answer_forget_chat(core, chat->id);
    chat_clear(core, chat);
}

/* "2026/11", or "": it becomes part of the paths clients are shown. */
static bool is_partition(const char *text)
{
    return strlen(text) == 7 && strspn(text, "0123456789") == 4 && text[4] == '/' &&
           strspn(text + 5, "0123456789") == 2;
}

static void put_chat(struct import *self)
{
    struct chat *chat = self->chat;
    const char *partition = import_text(self->record, "partition_key");
    const char *name = import_text(self->record, "participant_name");
    const json_t *metadata = json_object_get(self->record, "metadata");
    char *text = metadata ? json_dumps(metadata, JSON_COMPACT) : NULL;
    enum chat_status status = (enum chat_status)chat_status_of(import_text(self->record, "status"));
    snprintf(chat->participant_name, sizeof chat->participant_name, "%s", name);
    chat_found(self->core, chat, false);
    memcpy(chat->epoch, self->epoch, sizeof chat->epoch);
    chat->status = status == CHAT_PROCESSING ? CHAT_FAILED : status; /* nothing of it is being processed here */
    if (is_partition(partition))
        memcpy(chat->partition, partition, 8);
    if (text)
        job_set_text(self->core, &chat->metadata, text);
    free(text);
    int64_t created = time_of(self, self->record, "created_us");
    chat->created_us = created ? created : chat->created_us;
    chat_put(self->core, chat);
}

static void apply(struct import *self)
{
    remove_old(self->core, self->chat);
    put_chat(self);
    put_messages(self);
    put_files(self);
    put_jobs(self);
    put_events(self);
    record_reset(self->core, self->chat);
}

static void fini(struct import *self)
{
    for (size_t i = 0; i < self->event_count; i++)
        tail_event_free(self->events[i]);
    free(self->events);
    free(self->ids);
    strmap_destroy(&self->steps);
    strmap_destroy(&self->jobs);
    strmap_destroy(&self->event_ids);
}

static enum err prepare(struct import *self, struct fault *why)
{
    core_hex(self->core, self->epoch, EPOCH_MAX - 1);
    enum err err = import_check(self->record, self->chat->id, self->core->settings.event_bytes_max, why);
    if (err == ERR_OK)
        err = new_ids(self, why);
    return err == ERR_OK ? make_events(self, why) : err;
}

static void answer_imported(struct core *core, const struct ask *ask, const struct import *self)
{
    struct compose body = COMPOSE_INIT;
    compose_plain(&body, "{");
    compose_text(&body, "chat_id", self->chat->id);
    compose_int(&body, "files", (int64_t)self->chat->file_count);
    compose_plain(&body, "}");
    if (body.err == ERR_OK)
        answer_keep(core, ask, 200, "Conversation restored successfully", (struct bytes){body.buf.data, body.buf.len},
                    "");
    else
        core_fail(core, body.err);
    compose_fini(&body);
}

void import_handle(struct core *core, const struct ask *ask, struct chat *chat)
{
    if (!chat) {
        answer_refuse(core, ask, 422, "Invalid chat id");
        return;
    }
    if (chat->jobs) {
        answer_refuse(core, ask, 409, "A workflow of this conversation has not ended; wait for it or cancel it first");
        return;
    }
    json_t *record = json_loadb(ask->frame->body.at, ask->frame->body.len, 0, NULL);
    struct import self = {.core = core, .chat = chat, .record = record};
    struct fault why = {.text = ""};
    enum err err = prepare(&self, &why);
    if (err == ERR_INVALID)
        answer_refuse(core, ask, 422, why.text);
    else if (err != ERR_OK)
        core_fail(core, err);
    else {
        apply(&self);
        answer_imported(core, ask, &self);
    }
    fini(&self);
    json_decref(record);
}
