/* The reader: lists, conversations, files, jobs and event ranges as JSON, on a read-only connection of its own. */
#include "store/sqlite_store.h"

#include "clock.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum read_statement {
    READ_CHATS,
    READ_CHATS_OF_STATUS,
    READ_CHAT,
    READ_MESSAGES,
    READ_STEPS,
    READ_FILES,
    READ_FILE,
    READ_JOB,
    READ_JOBS,
    READ_JOB_STEPS,
    READ_JOB_FILES,
    READ_EVENTS,
    READ_STATEMENTS,
};

#define SUMMARY "chat_id, participant_name, status, partition_key, metadata, created_us, updated_us"
#define FILE_TYPE_OF(name)                                                                                             \
    "(SELECT f.file_type FROM files f WHERE f.chat_id = s.chat_id AND f.name = " name                                  \
    " ORDER BY f.position DESC LIMIT 1)"
/* Of the file that holds what the result lacks. */
#define RESULT_KEY                                                                                                     \
    "(SELECT f.key FROM files f WHERE f.chat_id = s.chat_id AND f.file_type = 'result' AND f.name ="                   \
    " CASE WHEN json_valid(s.result) THEN json_extract(s.result, '$.result_file') END)"
#define STEP_COLUMNS                                                                                                   \
    "s.step_id, s.operation, s.arguments, s.input_file, s.output_file, s.status, s.progress, s.error_message,"         \
    " s.started_us, s.completed_us, s.result, " FILE_TYPE_OF("s.input_file") ", " FILE_TYPE_OF(                        \
        "s.output_file") ", " RESULT_KEY

#define JOB_COLUMNS                                                                                                    \
    "job_id, status, attempts, error, total_steps, submitted_us, started_us, completed_us, retry_of,"                  \
    " (SELECT COUNT(*) FROM workflow_steps s WHERE s.chat_id = jobs.chat_id AND s.job_id = jobs.job_id"                \
    " AND s.status = 'completed')"

static const char *const sql[READ_STATEMENTS] = {
    [READ_CHATS] = "SELECT " SUMMARY " FROM conversations WHERE room = 0 ORDER BY created_us DESC LIMIT ?2 OFFSET ?3",
    [READ_CHATS_OF_STATUS] = "SELECT " SUMMARY " FROM conversations WHERE room = 0 AND status = ?1"
                             " ORDER BY created_us DESC LIMIT ?2 OFFSET ?3",
    [READ_CHAT] = "SELECT " SUMMARY " FROM conversations WHERE room = 0 AND chat_id = ?",
    [READ_MESSAGES] = "SELECT message_id, message_type, content, metadata, created_us FROM messages WHERE chat_id = ?"
                      " ORDER BY position",
    [READ_STEPS] =
        "SELECT " STEP_COLUMNS " FROM workflow_steps s JOIN jobs j USING(chat_id, job_id) WHERE s.chat_id = ?"
        " ORDER BY j.submitted_us, s.job_id, s.step_index",
    [READ_FILES] = "SELECT name, file_type FROM files WHERE chat_id = ? AND file_type <> 'result'"
                   " ORDER BY position",
    [READ_FILE] = "SELECT name, key, bytes FROM files WHERE chat_id = ? AND name = ?"
                  " ORDER BY file_type = 'uploaded' DESC, position DESC LIMIT 1",
    [READ_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs WHERE chat_id = ?1 ORDER BY submitted_us DESC LIMIT ?2 OFFSET ?3",
    [READ_JOB] =
        "SELECT " JOB_COLUMNS ", (SELECT partition_key FROM conversations c WHERE c.chat_id = jobs.chat_id) FROM jobs"
        " WHERE chat_id = ? AND job_id = ?",
    [READ_JOB_STEPS] = "SELECT " STEP_COLUMNS " FROM workflow_steps s WHERE s.chat_id = ? AND s.job_id = ?"
                       " ORDER BY step_index",
    [READ_JOB_FILES] = "SELECT s.output_file, " FILE_TYPE_OF(
        "s.output_file") " FROM workflow_steps s"
                         " WHERE s.chat_id = ? AND s.job_id = ? AND s.output_file <> '' ORDER BY step_index",
    [READ_EVENTS] = "SELECT chat_id, seq, type, job_id, event_id, body, created_us FROM events"
                    " WHERE chat_id = ? AND seq > ? ORDER BY seq LIMIT ?",
};

struct store_reader {
    struct db db;
    struct applier *applier;
    sqlite3_stmt *statement[READ_STATEMENTS];
};

/* Where a chat's files are, as clients see it. */
struct place {
    const char *workflows_path;
    char partition[PARTITION_MAX];
    const char *chat_id;
};

enum err store_reader_open(struct store_reader **out, const struct store *of, struct fault *why)
{
    struct store_reader *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return fault_set(why, ERR_MEMORY, "%s: out of memory", of->path);
    self->applier = of->applier;
    enum err err = db_open(&self->db, of->path, true, why);
    for (size_t i = 0; err == ERR_OK && i < READ_STATEMENTS; i++)
        err = db_prepare(&self->db, sql[i], &self->statement[i], why);
    if (err != ERR_OK)
        store_reader_close(&self);
    *out = self;
    return err;
}

void store_reader_close(struct store_reader **self_p)
{
    struct store_reader *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < READ_STATEMENTS; i++)
        sqlite3_finalize(self->statement[i]);
    db_close(&self->db);
    free(self);
    *self_p = NULL;
}

enum err store_reader_db(struct store_reader *self, struct db **db, struct fault *why)
{
    *db = &self->db;
    return applier_wait_all(self->applier, why);
}

static json_t *time_or_null(int64_t wall_us)
{
    char text[CLOCK_TEXT_MAX];
    if (wall_us == 0)
        return json_null();
    clock_iso_naive(wall_us, text);
    return json_string(text);
}

/* A JSON text of the record as a value; what does not parse (it was checked when it came in) becomes null. */
static json_t *parsed(const char *text)
{
    json_t *value = text[0] ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text[0] ? json_string(text) : json_null();
}

static const char *folder_of(const char *file_type)
{
    int type = file_type_of(file_type);
    return file_type_folder(type < 0 ? FILE_UPLOADED : (enum file_type)type);
}

static json_t *path_or_null(const struct place *place, const char *name, const char *file_type)
{
    if (!name[0])
        return json_null();
    return json_sprintf("%s/%s/%s/%s/%s", place->workflows_path, place->partition, place->chat_id, folder_of(file_type),
                        name);
}

/* Members both the list and the conversation carry. */
static json_t *summary_of(sqlite3_stmt *s)
{
    json_t *chat = json_object();
    json_object_set_new(chat, "chat_id", json_string(db_text(s, 0)));
    json_object_set_new(chat, "participant_name", json_string(db_text(s, 1)));
    json_object_set_new(chat, "status", json_string(db_text(s, 2)));
    json_object_set_new(chat, "partition_key", json_string(db_text(s, 3)));
    json_object_set_new(chat, "metadata", parsed(db_text(s, 4)));
    json_object_set_new(chat, "created_at", time_or_null(db_int(s, 5)));
    json_object_set_new(chat, "updated_at", time_or_null(db_int(s, 6)));
    return chat;
}

static json_t *step_of(sqlite3_stmt *s, const struct place *place)
{
    json_t *step = json_object();
    json_object_set_new(step, "step_id", json_string(db_text(s, 0)));
    json_object_set_new(step, "operation", json_string(db_text(s, 1)));
    json_object_set_new(step, "arguments", parsed(db_text(s, 2)));
    json_object_set_new(step, "input_file", path_or_null(place, db_text(s, 3), db_text(s, 11)));
    json_object_set_new(step, "output_file", path_or_null(place, db_text(s, 4), db_text(s, 12)));
    json_object_set_new(step, "status", json_string(db_text(s, 5)));
    json_object_set_new(step, "progress", json_integer(db_int(s, 6)));
    json_object_set_new(step, "error_message", text_or_null(db_text(s, 7)));
    json_object_set_new(step, "started_at", time_or_null(db_int(s, 8)));
    json_object_set_new(step, "completed_at", time_or_null(db_int(s, 9)));
    return step;
}

static json_t *message_of(sqlite3_stmt *s, const struct place *place)
{
    (void)place;
    json_t *message = json_object();
    json_object_set_new(message, "message_id", json_string(db_text(s, 0)));
    json_object_set_new(message, "message_type", json_string(db_text(s, 1)));
    json_object_set_new(message, "content", json_string(db_text(s, 2)));
    json_object_set_new(message, "metadata", parsed(db_text(s, 3)));
    json_object_set_new(message, "created_at", time_or_null(db_int(s, 4)));
    return message;
}

/* Appends one value a row; chat and, when not NULL, job are the parameters. */
static enum err rows_into(struct store_reader *self, enum read_statement which, const struct place *place,
                          const char *job_id, json_t *(*value)(sqlite3_stmt *, const struct place *), json_t *array,
                          struct fault *why)
{
    sqlite3_stmt *s = self->statement[which];
    db_bind_text(s, 1, place->chat_id);
    if (job_id)
        db_bind_text(s, 2, job_id);
    enum err err;
    while ((err = db_row(&self->db, s, why)) == ERR_OK)
        json_array_append_new(array, value(s, place));
    return err == ERR_END ? ERR_OK : err;
}

static json_t *result_of(sqlite3_stmt *s, const struct place *place)
{
    (void)place;
    json_t *result = parsed(db_text(s, 10));
    if (db_text(s, 13)[0])
        json_object_set_new(result, "result_key", json_string(db_text(s, 13)));
    return result;
}

/* Paths of uploads into one list, of everything steps made into the other. */
static enum err files_into(struct store_reader *self, enum read_statement which, const struct place *place,
                           const char *job_id, json_t *uploaded, json_t *outputs, struct fault *why)
{
    sqlite3_stmt *s = self->statement[which];
    db_bind_text(s, 1, place->chat_id);
    if (job_id)
        db_bind_text(s, 2, job_id);
    enum err err;
    while ((err = db_row(&self->db, s, why)) == ERR_OK) {
        json_t *list = file_type_of(db_text(s, 1)) == FILE_UPLOADED ? uploaded : outputs;
        if (list)
            json_array_append_new(list, path_or_null(place, db_text(s, 0), db_text(s, 1)));
    }
    return err == ERR_END ? ERR_OK : err;
}

static int write_piece(const char *piece, size_t len, void *context)
{
    return buf_add(context, piece, len) == ERR_OK ? 0 : -1;
}

/* Gives the tree away. */
static enum err give_json(json_t *tree, struct buf *json, struct fault *why)
{
    buf_clear(json);
    int failed = tree ? json_dump_callback(tree, write_piece, json, JSON_COMPACT) : -1;
    json_decref(tree);
    return failed ? fault_set(why, ERR_MEMORY, "answer too large for memory") : ERR_OK;
}

enum err store_read_chats(struct store_reader *self, const char *status, int64_t limit, int64_t offset,
                          struct buf *json, struct fault *why)
{
    bool all = !status || !status[0];
    sqlite3_stmt *s = self->statement[all ? READ_CHATS : READ_CHATS_OF_STATUS];
    enum err err = applier_wait_all(self->applier, why);
    if (err != ERR_OK)
        return err;
    if (!all)
        db_bind_text(s, 1, status);
    db_bind_int(s, 2, limit);
    db_bind_int(s, 3, offset);
    json_t *list = json_array();
    while ((err = db_row(&self->db, s, why)) == ERR_OK)
        json_array_append_new(list, summary_of(s));
    json_t *answer = json_object();
    json_object_set_new(answer, "count", json_integer((json_int_t)json_array_size(list)));
    json_object_set_new(answer, "conversations", list);
    if (err == ERR_END)
        return give_json(answer, json, why);
    json_decref(answer);
    return err;
}

/* The chat's summary, and its place for paths. */
static enum err find_chat(struct store_reader *self, const char *chat_id, const struct store_paths *paths,
                          struct place *place, json_t **chat, struct fault *why)
{
    sqlite3_stmt *s = self->statement[READ_CHAT];
    enum err err = applier_wait_all(self->applier, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    err = db_row(&self->db, s, why);
    if (err == ERR_END)
        return fault_set(why, ERR_NOT_FOUND, "Conversation not found");
    if (err != ERR_OK)
        return err;
    *chat = summary_of(s);
    *place = (struct place){.workflows_path = paths->workflows_path, .chat_id = chat_id};
    snprintf(place->partition, sizeof place->partition, "%s", db_text(s, 3));
    sqlite3_reset(s);
    return ERR_OK;
}

enum err store_read_chat(struct store_reader *self, const char *chat_id, const struct store_paths *paths,
                         struct buf *json, struct fault *why)
{
    struct place place;
    json_t *chat = NULL;
    enum err err = find_chat(self, chat_id, paths, &place, &chat, why);
    if (err != ERR_OK)
        return err;
    json_t *messages = json_array(), *steps = json_array(), *uploaded = json_array(), *outputs = json_array();
    json_object_set_new(chat, "messages", messages);
    json_object_set_new(chat, "workflow_steps", steps);
    json_object_set_new(chat, "uploaded_files", uploaded);
    json_object_set_new(chat, "output_files", outputs);
    err = rows_into(self, READ_MESSAGES, &place, NULL, message_of, messages, why);
    if (err == ERR_OK)
        err = rows_into(self, READ_STEPS, &place, NULL, step_of, steps, why);
    if (err == ERR_OK)
        err = files_into(self, READ_FILES, &place, NULL, uploaded, outputs, why);
    if (err == ERR_OK)
        return give_json(chat, json, why);
    json_decref(chat);
    return err;
}

enum err store_read_file(struct store_reader *self, const char *chat_id, const char *name, struct buf *json,
                         struct fault *why)
{
    struct place place;
    json_t *chat = NULL;
    enum err err = find_chat(self, chat_id, &(struct store_paths){.workflows_path = ""}, &place, &chat, why);
    json_decref(chat);
    if (err != ERR_OK)
        return err;
    sqlite3_stmt *s = self->statement[READ_FILE];
    db_bind_text(s, 1, chat_id);
    db_bind_text(s, 2, name);
    err = db_row(&self->db, s, why);
    if (err != ERR_OK)
        return err == ERR_END ? fault_set(why, ERR_NOT_FOUND, "File not found") : err;
    json_t *file = json_object();
    json_object_set_new(file, "name", json_string(db_text(s, 0)));
    json_object_set_new(file, "key", json_string(db_text(s, 1)));
    json_object_set_new(file, "bytes", json_integer(db_int(s, 2)));
    sqlite3_reset(s);
    return give_json(file, json, why);
}

static json_t *job_of(sqlite3_stmt *s)
{
    json_t *job = json_object();
    json_object_set_new(job, "job_id", json_string(db_text(s, 0)));
    json_object_set_new(job, "status", json_string(db_text(s, 1)));
    json_object_set_new(job, "attempts", json_integer(db_int(s, 2)));
    json_object_set_new(job, "error", text_or_null(db_text(s, 3)));
    json_object_set_new(job, "total_steps", json_integer(db_int(s, 4)));
    json_object_set_new(job, "submitted_at", time_or_null(db_int(s, 5)));
    json_object_set_new(job, "started_at", time_or_null(db_int(s, 6)));
    json_object_set_new(job, "completed_at", time_or_null(db_int(s, 7)));
    json_object_set_new(job, "retry_of", text_or_null(db_text(s, 8)));
    int64_t steps = db_int(s, 4), done = db_int(s, 9);
    bool completed = job_status_of(db_text(s, 1)) == JOB_COMPLETED;
    json_object_set_new(job, "progress", json_integer(completed ? 100 : steps > 0 ? done * 100 / steps : 0));
    return job;
}

/* The step that runs has come further than its row says; the run's own progress goes by its steps. */
static void add_progress(json_t *job, json_t *steps, const struct store_progress *now)
{
    json_t *step = json_array_get(steps, now->step);
    const char *status = json_string_value(json_object_get(step, "status"));
    if (!status || strcmp(status, step_status_name(STEP_RUNNING)) != 0)
        return;
    json_object_set_new(step, "progress", json_integer(now->percent));
    json_int_t done = (json_int_t)now->step * 100 + now->percent;
    json_object_set_new(job, "progress", json_integer(done / (json_int_t)json_array_size(steps)));
}

/* {"results":[...],"output_files":[...]} of a completed job. */
static enum err job_result(struct store_reader *self, const struct place *place, const char *job_id, json_t *job,
                           struct fault *why)
{
    json_t *result = json_object(), *results = json_array(), *outputs = json_array();
    json_object_set_new(result, "results", results);
    json_object_set_new(result, "output_files", outputs);
    json_object_set_new(job, "result", result);
    enum err err = rows_into(self, READ_JOB_STEPS, place, job_id, result_of, results, why);
    return err == ERR_OK ? files_into(self, READ_JOB_FILES, place, job_id, NULL, outputs, why) : err;
}

enum err store_read_jobs(struct store_reader *self, const char *chat_id, int64_t limit, int64_t offset,
                         struct buf *json, struct fault *why)
{
    sqlite3_stmt *s = self->statement[READ_JOBS];
    enum err err = applier_wait_all(self->applier, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    db_bind_int(s, 2, limit);
    db_bind_int(s, 3, offset);
    json_t *list = json_array(), *answer = json_object();
    while ((err = db_row(&self->db, s, why)) == ERR_OK)
        json_array_append_new(list, job_of(s));
    json_object_set_new(answer, "count", json_integer((json_int_t)json_array_size(list)));
    json_object_set_new(answer, "jobs", list);
    if (err == ERR_END)
        return give_json(answer, json, why);
    json_decref(answer);
    return err;
}

enum err store_read_job(struct store_reader *self, const char *chat_id, const char *job_id,
                        const struct store_paths *paths, const struct store_progress *now, struct buf *json,
                        struct fault *why)
{
    sqlite3_stmt *s = self->statement[READ_JOB];
    enum err err = applier_wait_all(self->applier, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    db_bind_text(s, 2, job_id);
    err = db_row(&self->db, s, why);
    if (err != ERR_OK)
        return err == ERR_END ? fault_set(why, ERR_NOT_FOUND, "Job not found") : err;
    json_t *job = job_of(s);
    bool completed = job_status_of(db_text(s, 1)) == JOB_COMPLETED;
    struct place place = {.workflows_path = paths->workflows_path, .chat_id = chat_id};
    snprintf(place.partition, sizeof place.partition, "%s", db_text(s, 10));
    sqlite3_reset(s);
    json_t *steps = json_array();
    json_object_set_new(job, "steps", steps);
    json_object_set_new(job, "result", json_null());
    err = rows_into(self, READ_JOB_STEPS, &place, job_id, step_of, steps, why);
    if (err == ERR_OK && now)
        add_progress(job, steps, now);
    if (err == ERR_OK && completed)
        err = job_result(self, &place, job_id, job, why);
    if (err == ERR_OK)
        return give_json(job, json, why);
    json_decref(job);
    return err;
}

enum err store_read_events(struct store_reader *self, const char *chat_id, uint64_t since, uint32_t limit,
                           size_t bytes_max, enum err (*each)(void *context, const struct event_row *row),
                           void *context, struct fault *why)
{
    sqlite3_stmt *s = self->statement[READ_EVENTS];
    enum err err = applier_wait_all(self->applier, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    db_bind_int(s, 2, (int64_t)since);
    db_bind_int(s, 3, limit);
    size_t bytes = 0;
    while (bytes < bytes_max && (err = db_row(&self->db, s, why)) == ERR_OK) {
        struct event_row row = event_row_of(s);
        bytes += row.body_len;
        err = each(context, &row);
        if (err != ERR_OK)
            break;
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return err == ERR_END ? ERR_OK : err;
}
