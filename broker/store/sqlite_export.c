/* Everything of one chat as one JSON text, read in one transaction; its shape is in store.h. */
#include "store/sqlite_store.h"

#include "strmap.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct export
{
    struct db *db;
    const char *chat_id;
    size_t events_bytes_max;
    struct fault *why;
};

static enum err prepare(const struct export *self, const char *sql, sqlite3_stmt **out)
{
    enum err err = db_prepare(self->db, sql, out, self->why);
    if (err == ERR_OK)
        db_bind_text(*out, 1, self->chat_id);
    return err;
}

/* One value a row of a statement whose only parameter is the chat, appended to the list. */
static enum err rows_into(const struct export *self, const char *sql, json_t *(*value)(sqlite3_stmt *s), json_t *list)
{
    sqlite3_stmt *s = NULL;
    enum err err = prepare(self, sql, &s);
    while (err == ERR_OK && (err = db_row(self->db, s, self->why)) == ERR_OK)
        if (json_array_append_new(list, value(s)) != 0)
            err = ERR_MEMORY;
    sqlite3_finalize(s);
    return err == ERR_END ? ERR_OK : err;
}

static json_t *file_of(sqlite3_stmt *s)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:s, s:I}", "name", db_text(s, 0), "key", db_text(s, 1), "type",
                     db_text(s, 2), "bytes", (json_int_t)db_int(s, 3), "job_id", db_text(s, 4), "created_us",
                     (json_int_t)db_int(s, 5));
}

static json_t *job_of(sqlite3_stmt *s)
{
    return json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:[]}", "job_id", db_text(s, 0), "status",
                     db_text(s, 1), "attempts", (json_int_t)db_int(s, 2), "input_name", db_text(s, 3), "error",
                     db_text(s, 4), "submitted_us", (json_int_t)db_int(s, 5), "started_us", (json_int_t)db_int(s, 6),
                     "completed_us", (json_int_t)db_int(s, 7), "retry_of", db_text(s, 8), "input_key", db_text(s, 9),
                     "steps");
}

static json_t *step_of(sqlite3_stmt *s)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I}", "job_id", db_text(s, 0), "step_id",
                     db_text(s, 1), "operation", db_text(s, 2), "arguments", db_text(s, 3), "input_file", db_text(s, 4),
                     "output_file", db_text(s, 5), "result", db_text(s, 6), "status", db_text(s, 7), "progress",
                     (json_int_t)db_int(s, 8), "error_message", db_text(s, 9), "started_us", (json_int_t)db_int(s, 10),
                     "completed_us", (json_int_t)db_int(s, 11));
}

static json_t *event_of(sqlite3_stmt *s)
{
    return json_pack("{s:s, s:s, s:s, s:s%, s:I}", "type", db_text(s, 0), "job_id", db_text(s, 1), "event_id",
                     db_text(s, 2), "body", db_text(s, 3), (size_t)sqlite3_column_bytes(s, 3), "created_us",
                     (json_int_t)db_int(s, 4));
}

/* A job's input: the key of a file becomes the file's place in the list. */
static void set_inputs(const struct strmap *places, json_t *jobs)
{
    json_t *job;
    size_t i;
    json_array_foreach(jobs, i, job)
    {
        const char *key = json_string_value(json_object_get(job, "input_key"));
        uintptr_t place = key ? (uintptr_t)strmap_get(places, key, strlen(key)) : 0;
        json_object_set_new(job, "input", place ? json_integer((json_int_t)place - 1) : json_null());
        json_object_del(job, "input_key");
    }
}

static enum err find_inputs(const json_t *files, json_t *jobs)
{
    struct strmap *places = NULL; /* from 1 on: 0 is none */
    enum err err = strmap_new(&places);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(files); i++) {
        const char *key = json_string_value(json_object_get(json_array_get(files, i), "key"));
        err = key ? strmap_put(places, key, strlen(key), (void *)(uintptr_t)(i + 1), NULL) : ERR_MEMORY;
    }
    if (err == ERR_OK)
        set_inputs(places, jobs);
    strmap_destroy(&places);
    return err;
}

/* Steps come in the order of their jobs. */
static enum err steps_into(const struct export *self, json_t *jobs)
{
    json_t *steps = json_array(), *step, *job;
    size_t i, next = 0;
    enum err err =
        rows_into(self,
                  "SELECT s.job_id, s.step_id, s.operation, s.arguments, s.input_file, s.output_file, s.result,"
                  " s.status, s.progress, s.error_message, s.started_us, s.completed_us FROM workflow_steps s"
                  " JOIN jobs j USING(chat_id, job_id) WHERE s.chat_id = ? ORDER BY j.submitted_us, s.job_id,"
                  " s.step_index",
                  step_of, steps);
    json_array_foreach(jobs, i, job)
    {
        const char *id = json_string_value(json_object_get(job, "job_id"));
        while ((step = json_array_get(steps, next)) &&
               strcmp(json_string_value(json_object_get(step, "job_id")), id) == 0) {
            json_object_del(step, "job_id");
            json_array_append(json_object_get(job, "steps"), step);
            next++;
        }
    }
    json_decref(steps);
    return err;
}

static enum err jobs_into(const struct export *self, const json_t *files, json_t *jobs)
{
    enum err err = rows_into(self,
                             "SELECT job_id, status, attempts, input_name, error, submitted_us, started_us,"
                             " completed_us, retry_of, input_key FROM jobs WHERE chat_id = ?"
                             " ORDER BY submitted_us, job_id",
                             job_of, jobs);
    if (err == ERR_OK)
        err = find_inputs(files, jobs);
    return err == ERR_OK ? steps_into(self, jobs) : err;
}

/* The newest events that fit, oldest first. */
static enum err events_into(const struct export *self, json_t *events)
{
    sqlite3_stmt *s = NULL;
    size_t bytes = 0;
    enum err err = prepare(self,
                           "SELECT type, job_id, event_id, body, created_us FROM events WHERE chat_id = ?"
                           " ORDER BY seq DESC",
                           &s);
    json_t *newest_first = json_array();
    while (err == ERR_OK && (err = db_row(self->db, s, self->why)) == ERR_OK) {
        bytes += (size_t)sqlite3_column_bytes(s, 3) * 2; /* a text in a text: quotes are escaped */
        if (bytes > self->events_bytes_max)
            break;
        if (json_array_append_new(newest_first, event_of(s)) != 0)
            err = ERR_MEMORY;
    }
    sqlite3_finalize(s);
    for (size_t i = json_array_size(newest_first); i > 0; i--)
        json_array_append(events, json_array_get(newest_first, i - 1));
    json_decref(newest_first);
    return err == ERR_END ? ERR_OK : err;
}

/* Times of the chat, and how many of its events are not in the list. */
static enum err sums_into(const struct export *self, json_t *record)
{
    sqlite3_stmt *s = NULL;
    enum err err = prepare(self,
                           "SELECT created_us, updated_us, (SELECT COUNT(*) FROM events e WHERE e.chat_id = c.chat_id)"
                           " FROM conversations c WHERE chat_id = ?",
                           &s);
    if (err == ERR_OK)
        err = db_row(self->db, s, self->why);
    if (err == ERR_OK) {
        json_int_t taken = (json_int_t)json_array_size(json_object_get(record, "events"));
        json_object_set_new(record, "created_us", json_integer(db_int(s, 0)));
        json_object_set_new(record, "updated_us", json_integer(db_int(s, 1)));
        json_object_set_new(record, "events_left_out", json_integer(db_int(s, 2) - taken));
    }
    sqlite3_finalize(s);
    return err == ERR_END ? ERR_OK : err;
}

static enum err read_record(const struct export *self, json_t *record)
{
    enum err err = rows_into(self,
                             "SELECT name, key, file_type, bytes, job_id, created_us FROM files WHERE chat_id = ?"
                             " ORDER BY position",
                             file_of, json_object_get(record, "files"));
    if (err == ERR_OK)
        err = jobs_into(self, json_object_get(record, "files"), json_object_get(record, "jobs"));
    if (err == ERR_OK)
        err = events_into(self, json_object_get(record, "events"));
    return err == ERR_OK ? sums_into(self, record) : err;
}

static int write_piece(const char *piece, size_t len, void *context)
{
    return buf_add(context, piece, len) == ERR_OK ? 0 : -1;
}

/* The conversation is in the buffer already. */
static enum err put_around(struct buf *json, const json_t *record, const char *conversation, size_t len)
{
    buf_clear(json);
    enum err err = buf_add_text(json, "{\"conversation\":");
    if (err == ERR_OK)
        err = buf_add(json, conversation, len);
    if (err == ERR_OK)
        err = buf_add_text(json, ",\"record\":");
    if (err == ERR_OK && json_dump_callback(record, write_piece, json, JSON_COMPACT) != 0)
        err = ERR_FULL;
    return err == ERR_OK ? buf_add_text(json, "}") : err;
}

static enum err read_all(struct store_reader *reader, const struct export *self, const struct store_paths *paths,
                         struct buf *json, struct fault *why)
{
    json_t *record = json_pack("{s:i, s:[], s:[], s:[]}", "version", 1, "files", "jobs", "events");
    enum err err = store_read_chat(reader, self->chat_id, paths, json, why);
    if (err == ERR_MEMORY)
        err = ERR_FULL; /* its text passes the limit of the buffer */
    if (err == ERR_OK)
        err = record ? read_record(self, record) : ERR_MEMORY;
    if (err == ERR_OK) {
        size_t len;
        char *conversation = buf_steal(json, &len);
        err = put_around(json, record, conversation, len);
        free(conversation);
    }
    json_decref(record);
    return err;
}

enum err store_read_export(struct store_reader *reader, const char *chat_id, const struct store_paths *paths,
                           struct buf *json, struct fault *why)
{
    struct export self = {.chat_id = chat_id, .events_bytes_max = json->limit / 2, .why = why};
    enum err err = store_reader_db(reader, &self.db, why);
    if (err == ERR_OK)
        err = db_run(self.db, "BEGIN", why);
    if (err != ERR_OK)
        return err;
    err = read_all(reader, &self, paths, json, why);
    sqlite3_exec(self.db->handle, "COMMIT", NULL, NULL, NULL);
    if (err == ERR_FULL)
        err = fault_set(why, ERR_TOO_LARGE,
                        "The record of the conversation is larger than %zu MiB"
                        " (chat_workflows.dump.record_mb_max)",
                        json->limit >> 20);
    return err;
}
