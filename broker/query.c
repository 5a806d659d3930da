#include "query.h"

#include "janitor.h"
#include "log.h"
#include "outlet.h"
#include "turn.h"

#include <inttypes.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX ((size_t)256 << 20)
#define RANGE_BYTES      ((size_t)1 << 20)
#define STOP_MS          2000

/* What the reader's thread owns. */
struct reader {
    struct store_reader *store;
    const struct store *record;
    struct store_paths paths;
    size_t export_bytes_max;
    struct mailbox *replies;
};

/* ---- ranges ---- */

struct rows {
    struct range_reply *reply;
    size_t room;
    uint64_t head; /* QUERY_EVENTS: nothing newer */
};

static void free_range(void *body)
{
    struct range_reply *reply = body;
    free(reply->rows);
    buf_fini(&reply->texts);
    free(reply);
}

/* Texts are kept as offsets until the buffer has stopped moving. */
static enum err keep_row(void *context, const struct event_row *row)
{
    struct rows *rows = context;
    struct range_reply *reply = rows->reply;
    if (reply->range.count == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 64;
        struct event_row *list = realloc(reply->rows, room * sizeof *list);
        if (!list)
            return ERR_MEMORY;
        reply->rows = list;
        rows->room = room;
    }
    struct event_row *kept = &reply->rows[reply->range.count];
    *kept = (struct event_row){.seq = row->seq, .body_len = row->body_len, .created_us = row->created_us};
    enum err err = buf_add(&reply->texts, row->type, strlen(row->type) + 1);
    if (err == ERR_OK)
        err = buf_add(&reply->texts, row->body, row->body_len);
    if (err == ERR_OK)
        reply->range.count++;
    return err;
}

static void point_rows(struct range_reply *reply)
{
    const char *at = reply->texts.data;
    for (size_t i = 0; i < reply->range.count; i++) {
        struct event_row *row = &reply->rows[i];
        row->chat_id = reply->range.chat;
        row->type = at;
        row->body = at + strlen(at) + 1;
        row->job_id = row->event_id = "";
        at = row->body + row->body_len;
    }
    reply->range.rows = reply->rows;
}

static struct range_reply *new_range(const struct query *query)
{
    struct range_reply *reply = calloc(1, sizeof *reply);
    if (!reply)
        abort(); /* a link would wait for ever; see the note at reply_with() */
    reply->texts = BUF_INIT(ANSWER_BYTES_MAX);
    reply->range.link = query->link;
    reply->range.generation = query->generation;
    reply->range.since = query->since;
    memcpy(reply->range.chat, query->chat, sizeof reply->range.chat);
    return reply;
}

/* The box has room for an answer to every query that may be on its way (QUERIES_MAX), so this cannot be refused;
 * without memory for a small letter nothing can go on. */
static void reply_with(struct mailbox *box, const struct mail *letter)
{
    if (mailbox_put(box, letter) != ERR_OK)
        abort();
}

static void read_range(struct reader *self, const struct query *query)
{
    struct rows rows = {.reply = new_range(query)};
    struct fault why = {.text = ""};
    enum err err = store_read_events(self->store, query->chat, query->since, (uint32_t)query->limit, RANGE_BYTES,
                                     keep_row, &rows, &why);
    if (err != ERR_OK) {
        log_error("reading events failed", "chat", query->chat, "error", why.text, NULL);
        rows.reply->range.count = 0;
        rows.reply->range.failed = true;
    }
    point_rows(rows.reply);
    reply_with(self->replies, &(struct mail){.kind = REPLY_RANGE, .body = rows.reply, .free_body = free_range});
}

/* ---- answers ---- */

static enum err write_events(const struct query *query, const struct range *range, struct buf *json)
{
    enum err err = buf_add_text(json, "{\"events\":[");
    for (size_t i = 0; err == ERR_OK && i < range->count; i++) {
        const struct event_row *row = &range->rows[i];
        if (row->seq > query->head)
            break; /* younger than the head we name */
        if (i > 0)
            err = buf_add_byte(json, ',');
        if (err == ERR_OK)
            err = buf_add(json, row->body, row->body_len);
    }
    return err;
}

/* `oldest` is read first: events that go between the two looks make it too small, and the gap shows in the numbers. */
static enum err read_events(struct reader *self, const struct query *query, struct buf *json, struct fault *why)
{
    struct rows rows = {.reply = new_range(query)};
    uint64_t oldest = 0;
    enum err err = store_read_oldest(self->store, query->chat, &oldest, why);
    if (err == ERR_OK && query->limit > 0)
        err = store_read_events(self->store, query->chat, query->since, (uint32_t)query->limit, ANSWER_BYTES_MAX / 4,
                                keep_row, &rows, why);
    point_rows(rows.reply);
    if (oldest == 0 || oldest > query->head)
        oldest = query->head + 1;
    if (err == ERR_OK)
        err = write_events(query, &rows.reply->range, json);
    if (err == ERR_OK)
        err = buf_printf(json, "],\"epoch\":\"%s\",\"head\":%" PRIu64 ",\"oldest\":%" PRIu64 "}", query->epoch,
                         query->head, oldest);
    free_range(rows.reply);
    return err;
}

/* What a finished job's caller is told, from its row. */
static uint16_t job_end(const json_t *job, json_t **data, struct buf *message)
{
    const char *status = json_string_value(json_object_get(job, "status"));
    const char *error = json_string_value(json_object_get(job, "error"));
    json_t *result = json_object_get(job, "result");
    json_t *results = json_object_get(result, "results"), *files = json_object_get(result, "output_files");
    *data = json_pack("{s:O, s:O, s:o, s:o}", "job_id", json_object_get(job, "job_id"), "status",
                      json_object_get(job, "status"), "results", results ? json_incref(results) : json_array(),
                      "output_files", files ? json_incref(files) : json_array());
    if (error)
        json_object_set_new(*data, "error", json_string(error));
    bool completed = status && strcmp(status, "completed") == 0, failed = status && strcmp(status, "failed") == 0;
    if (buf_printf(message, "%s%s",
                   completed ? "Workflow executed successfully"
                   : failed  ? "Workflow execution failed: "
                             : "Workflow cancelled",
                   failed && error ? error : "") != ERR_OK)
        buf_clear(message);
    return completed ? 200 : failed ? 422 : 409;
}

static enum err read_job_end(struct reader *self, const struct query *query, struct buf *json, uint16_t *status,
                             struct buf *message, struct fault *why)
{
    enum err err = store_read_job(self->store, query->chat, query->text, &self->paths, NULL, json, why);
    if (err != ERR_OK)
        return err;
    json_t *job = json_loadb(json->data, json->len, 0, NULL), *data = NULL;
    *status = job_end(job, &data, message);
    char *text = json_dumps(data, JSON_COMPACT);
    buf_clear(json);
    err = text ? buf_add_text(json, text) : ERR_MEMORY;
    free(text);
    json_decref(data);
    json_decref(job);
    return err;
}

static enum err read_answer(struct reader *self, const struct query *query, struct buf *json, uint16_t *status,
                            struct buf *message, struct fault *why)
{
    static const char *const messages[] = {
        [QUERY_CHATS] = "Conversations retrieved successfully",
        [QUERY_CHAT] = "Conversation retrieved successfully",
        [QUERY_FILE] = "File found",
        [QUERY_JOBS] = "Jobs retrieved successfully",
        [QUERY_JOB] = "Job status retrieved successfully",
        [QUERY_JOB_END] = "",
        [QUERY_EVENTS] = "Events retrieved successfully",
        [QUERY_EXPORT] = "Conversation exported",
        [QUERY_BACKUP] = "",
        [QUERY_RANGE] = "",
    };
    *status = 200;
    enum err err = buf_add_text(message, messages[query->kind]);
    if (err != ERR_OK)
        return err;
    switch (query->kind) {
    case QUERY_CHATS: return store_read_chats(self->store, query->text, query->limit, query->offset, json, why);
    case QUERY_CHAT: return store_read_chat(self->store, query->chat, &self->paths, json, why);
    case QUERY_FILE: return store_read_file(self->store, query->chat, query->text, json, why);
    case QUERY_JOB: {
        struct store_progress progress = {query->step, query->percent};
        return store_read_job(self->store, query->chat, query->text, &self->paths, &progress, json, why);
    }
    case QUERY_JOBS: return store_read_jobs(self->store, query->chat, query->limit, query->offset, json, why);
    case QUERY_JOB_END: return read_job_end(self, query, json, status, message, why);
    case QUERY_EVENTS: return read_events(self, query, json, why);
    case QUERY_EXPORT: return store_read_export(self->store, query->chat, &self->paths, json, why);
    case QUERY_BACKUP: /* the janitor's */
    case QUERY_RANGE: break;
    }
    return ERR_INTERNAL;
}

static void free_answer(void *body)
{
    struct answer_reply *reply = body;
    buf_fini(&reply->frame);
    free(reply);
}

void query_answer(struct mailbox *replies, const struct query *query, uint16_t status, const char *message,
                  const struct buf *json)
{
    struct answer_reply *reply = calloc(1, sizeof *reply);
    if (!reply)
        abort();
    struct request_frame frame = {.kind = REQUEST_ANSWER,
                                  .status = status,
                                  .message = {message, strlen(message)},
                                  .body = json ? (struct bytes){json->data, json->len} : (struct bytes){"null", 4}};
    memcpy(frame.id, query->id, REQUEST_ID_LEN);
    reply->peer = query->peer;
    reply->frame = BUF_INIT(ANSWER_BYTES_MAX + 4096);
    if (request_frame_write(&frame, &reply->frame) != ERR_OK)
        buf_clear(&reply->frame);
    reply_with(replies, &(struct mail){.kind = REPLY_ANSWER, .body = reply, .free_body = free_answer});
}

static void read_and_answer(struct reader *self, const struct query *query)
{
    size_t json_max = query->kind == QUERY_EXPORT ? self->export_bytes_max : ANSWER_BYTES_MAX;
    struct buf json = BUF_INIT(json_max), message = BUF_INIT(2 * FAULT_TEXT_MAX);
    struct fault why = {.text = ""};
    uint16_t status;
    enum err err = read_answer(self, query, &json, &status, &message, &why);
    if (err == ERR_OK) {
        query_answer(self->replies, query, status, buf_text(&message), &json);
    } else if (err == ERR_NOT_FOUND) {
        query_answer(self->replies, query, 404, why.text, NULL);
    } else if (err == ERR_TOO_LARGE) {
        query_answer(self->replies, query, 413, why.text, NULL);
    } else {
        log_error("reading the record failed", "chat", query->chat, "error", why.text, NULL);
        query_answer(self->replies, query, query->kind == QUERY_JOB_END ? 504 : 500, "The record cannot be read", NULL);
    }
    buf_fini(&json);
    buf_fini(&message);
}

/* ---- the actor ---- */

static void wait_for_mail(struct mailbox *box)
{
    struct pollfd item = {.fd = mailbox_fd(box), .events = POLLIN};
    poll(&item, 1, -1);
}

static void reader_body(struct actor *actor, struct mailbox *box, void *arg)
{
    struct reader *self = arg;
    struct fault why;
    enum err err = store_reader_open(&self->store, self->record, &why);
    actor_ready(actor, err, &why);
    bool running = err == ERR_OK;
    while (running) {
        struct mail mail;
        if (!mailbox_take(box, &mail)) {
            wait_for_mail(box);
            continue;
        }
        const struct query *query = mail.body;
        if (mail.kind == MAIL_STOP)
            running = false;
        else if (query->kind == QUERY_RANGE)
            read_range(self, query);
        else
            read_and_answer(self, query);
        mail_fini(&mail);
    }
    store_reader_close(&self->store);
}

enum err query_start(struct broker *self, struct fault *why)
{
    self->reader_state = calloc(1, sizeof *self->reader_state);
    if (!self->reader_state)
        return fault_set(why, ERR_MEMORY, "reader: out of memory");
    *self->reader_state =
        (struct reader){.record = self->store,
                        .paths = {self->settings->chat_workflows.storage.workflows_path},
                        .export_bytes_max = (size_t)self->settings->chat_workflows.dump.record_mb_max << 20,
                        .replies = self->replies};
    return actor_start(&self->reader, "reader", QUERIES_MAX, reader_body, self->reader_state, why);
}

void query_stop(struct broker *self)
{
    if (self->reader)
        actor_stop(&self->reader, STOP_MS);
    free(self->reader_state);
    self->reader_state = NULL;
}

/* The reader has too much to do: callers are told so, but not "never" when they ask for the end of a run that was
 * accepted; a link asks again in a moment (a range that failed gives no effect, so it may be decided while effects are
 * carried out). */
static void refuse(struct broker *self, const struct query *query)
{
    if (query->kind != QUERY_RANGE) {
        struct caller caller = {.peer = query->peer};
        memcpy(caller.id, query->id, REQUEST_ID_LEN);
        outlet_refuse(self, &caller, query->kind == QUERY_JOB_END ? ERR_TIMEOUT : ERR_UNAVAILABLE);
        return;
    }
    struct range range = {.link = query->link, .generation = query->generation, .since = query->since, .failed = true};
    memcpy(range.chat, query->chat, sizeof range.chat);
    struct input input = {.kind = INPUT_RANGE, .of.range = &range};
    turn_input(self, &input);
}

static enum err send_to_actor(struct broker *self, struct query *query)
{
    if (query->kind == QUERY_BACKUP)
        return janitor_backup(self, query);
    return actor_tell(self->reader, &(struct mail){.kind = (int)query->kind, .body = query});
}

void query_send(struct broker *self, struct query **query_p)
{
    struct query *query = *query_p;
    *query_p = NULL;
    bool room = self->queries < QUERIES_MAX;
    if (room && send_to_actor(self, query) == ERR_OK) {
        self->queries++;
        return;
    }
    refuse(self, query);
    free(query);
}

void query_take(struct broker *self, const struct mail *reply)
{
    self->queries--;
    if (reply->kind == REPLY_ANSWER) {
        struct answer_reply *ready = reply->body;
        if (ready->frame.len > 0)
            outlet_answer(self, &ready->peer, &ready->frame);
    } else {
        const struct range_reply *ready = reply->body;
        struct input input = {.kind = INPUT_RANGE, .of.range = &ready->range};
        turn_input(self, &input);
    }
}
