/* What the core needs back: rows of one chat, chats with open jobs, answers and event ids. Writer's connection. */
#include "store/sqlite_store.h"

#include <string.h>

static int name_index(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

static const char *const file_types[] = {
    [FILE_UPLOADED] = "uploaded",
    [FILE_OUTPUT] = "output",
    [FILE_INTERMEDIATE] = "intermediate",
    [FILE_RESULT] = "result",
};

const char *file_type_name(enum file_type type)
{
    return file_types[type];
}

enum file_type file_type_of(const char *name)
{
    return (enum file_type)name_index(file_types, 4, name);
}

enum chat_status chat_status_of(const char *name)
{
    const char *const names[] = {chat_status_name(CHAT_CREATED), chat_status_name(CHAT_PROCESSING),
                                 chat_status_name(CHAT_COMPLETED), chat_status_name(CHAT_FAILED)};
    return (enum chat_status)name_index(names, 4, name);
}

enum job_status job_status_of(const char *name)
{
    const char *const names[] = {job_status_name(JOB_PENDING), job_status_name(JOB_RUNNING),
                                 job_status_name(JOB_COMPLETED), job_status_name(JOB_FAILED),
                                 job_status_name(JOB_CANCELLED)};
    return (enum job_status)name_index(names, 5, name);
}

enum step_status step_status_of(const char *name)
{
    const char *const names[] = {step_status_name(STEP_PENDING), step_status_name(STEP_RUNNING),
                                 step_status_name(STEP_COMPLETED), step_status_name(STEP_FAILED)};
    return (enum step_status)name_index(names, 4, name);
}

/* A callback's error must not leave the statement half stepped. */
static enum err stop(sqlite3_stmt *statement, enum err err)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}

static enum err load_chat_row(struct store *self, const char *chat_id, const struct store_load *to, struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_CHAT];
    db_bind_text(s, 1, chat_id);
    enum err err = db_row(&self->db, s, why);
    if (err == ERR_END)
        return fault_set(why, ERR_NOT_FOUND, "Conversation not found");
    if (err != ERR_OK)
        return err;
    struct chat_row row = {
        .chat_id = db_text(s, 0),
        .room = db_int(s, 1) != 0,
        .participant_name = db_text(s, 2),
        .status = chat_status_of(db_text(s, 3)),
        .partition_key = db_text(s, 4),
        .metadata = db_text(s, 5),
        .epoch = db_text(s, 6),
        .head = (uint64_t)db_int(s, 7),
        .created_us = db_int(s, 8),
        .updated_us = db_int(s, 9),
    };
    return stop(s, to->chat(to->context, &row));
}

static struct step_row step_row_of(sqlite3_stmt *s)
{
    return (struct step_row){
        .step_id = db_text(s, 0),
        .chat_id = db_text(s, 1),
        .job_id = db_text(s, 2),
        .index = (uint32_t)db_int(s, 3),
        .operation = db_text(s, 4),
        .arguments = db_text(s, 5),
        .input_file = db_text(s, 6),
        .output_file = db_text(s, 7),
        .spool_key = db_text(s, 8),
        .result = db_text(s, 9),
        .status = step_status_of(db_text(s, 10)),
        .progress = (uint32_t)db_int(s, 11),
        .error_message = db_text(s, 12),
        .started_us = db_int(s, 13),
        .completed_us = db_int(s, 14),
    };
}

static enum err load_steps(struct store *self, const char *chat_id, const char *job_id, const struct store_load *to,
                           struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_STEPS];
    db_bind_text(s, 1, chat_id);
    db_bind_text(s, 2, job_id);
    enum err err;
    while ((err = db_row(&self->db, s, why)) == ERR_OK) {
        struct step_row row = step_row_of(s);
        err = to->step(to->context, &row);
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

static struct job_row job_row_of(sqlite3_stmt *s)
{
    return (struct job_row){
        .job_id = db_text(s, 0),
        .chat_id = db_text(s, 1),
        .status = job_status_of(db_text(s, 2)),
        .attempts = (uint32_t)db_int(s, 3),
        .token = {(uint64_t)db_int(s, 4), (uint64_t)db_int(s, 5)},
        .last_number = (uint64_t)db_int(s, 6),
        .input_name = db_text(s, 7),
        .input_key = db_text(s, 8),
        .trace = db_text(s, 9),
        .error = db_text(s, 10),
        .total_steps = (uint32_t)db_int(s, 11),
        .submitted_us = db_int(s, 12),
        .started_us = db_int(s, 13),
        .completed_us = db_int(s, 14),
        .retry_of = db_text(s, 15),
        .set_back = (uint32_t)db_int(s, 16),
        .spools_gone = db_int(s, 17) != 0,
    };
}

/* Each job is followed by its steps. */
static enum err load_jobs(struct store *self, enum store_statement which, const char *chat_id,
                          const struct store_load *to, bool *any, struct fault *why)
{
    sqlite3_stmt *s = self->statement[which];
    enum err err;
    db_bind_text(s, 1, chat_id);
    while ((err = db_row(&self->db, s, why)) == ERR_OK) {
        struct job_row row = job_row_of(s);
        *any = true;
        err = to->job(to->context, &row);
        if (err == ERR_OK)
            err = load_steps(self, chat_id, row.job_id, to, why);
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err store_load_job(struct store *self, const char *chat_id, const char *job_id, const struct store_load *to,
                        struct fault *why)
{
    bool found = false;
    db_bind_text(self->statement[LOAD_JOB], 2, job_id);
    enum err err = load_jobs(self, LOAD_JOB, chat_id, to, &found, why);
    return err == ERR_OK && !found ? fault_set(why, ERR_NOT_FOUND, "Job not found") : err;
}

struct event_row event_row_of(sqlite3_stmt *s)
{
    return (struct event_row){
        .chat_id = db_text(s, 0),
        .seq = (uint64_t)db_int(s, 1),
        .type = db_text(s, 2),
        .job_id = db_text(s, 3),
        .event_id = db_text(s, 4),
        .body = db_text(s, 5),
        .body_len = (size_t)sqlite3_column_bytes(s, 5),
        .created_us = db_int(s, 6),
    };
}

static enum err load_events(struct store *self, const char *chat_id, uint32_t events, const struct store_load *to,
                            struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_EVENTS];
    db_bind_text(s, 1, chat_id);
    db_bind_int(s, 2, events);
    enum err err;
    while ((err = db_row(&self->db, s, why)) == ERR_OK) {
        struct event_row row = event_row_of(s);
        err = to->event(to->context, &row);
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

static enum err load_files(struct store *self, const char *chat_id, const struct store_load *to, struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_FILES];
    db_bind_text(s, 1, chat_id);
    enum err err;
    while ((err = db_row(&self->db, s, why)) == ERR_OK) {
        struct file_row row = {
            .file_id = db_text(s, 0),
            .chat_id = db_text(s, 1),
            .name = db_text(s, 2),
            .key = db_text(s, 3),
            .type = file_type_of(db_text(s, 4)),
            .bytes = (uint64_t)db_int(s, 5),
            .job_id = db_text(s, 6),
            .created_us = db_int(s, 7),
        };
        err = to->file(to->context, &row);
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err store_load_chat(struct store *self, const char *chat_id, uint32_t events, const struct store_load *to,
                         struct fault *why)
{
    bool jobs;
    enum err err = load_chat_row(self, chat_id, to, why);
    if (err == ERR_OK)
        err = load_jobs(self, LOAD_JOBS, chat_id, to, &jobs, why);
    if (err == ERR_OK)
        err = load_events(self, chat_id, events, to, why);
    if (err == ERR_OK)
        err = load_files(self, chat_id, to, why);
    return err;
}

static enum err each_text(struct store *self, enum store_statement which, enum err (*each)(void *, const char *),
                          void *context, struct fault *why)
{
    sqlite3_stmt *s = self->statement[which];
    enum err err;
    while ((err = db_row(&self->db, s, why)) == ERR_OK) {
        err = each(context, db_text(s, 0));
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err store_busy_chats(struct store *self, enum err (*each)(void *context, const char *chat_id), void *context,
                          struct fault *why)
{
    return each_text(self, LOAD_BUSY, each, context, why);
}

enum err store_garbage(struct store *self, uint32_t max, enum err (*each)(void *context, const char *key),
                       void *context, struct fault *why)
{
    db_bind_int(self->statement[LOAD_GARBAGE], 1, max);
    return each_text(self, LOAD_GARBAGE, each, context, why);
}

/* Copies three texts into one buffer; the pointers are taken once it no longer moves. */
static enum err keep_answer_texts(sqlite3_stmt *s, struct answer_row *out, struct buf *space)
{
    size_t at[3];
    buf_clear(space);
    for (int i = 0; i < 3; i++) {
        const char *text = db_text(s, i + 1);
        at[i] = space->len;
        enum err err = buf_add(space, text, strlen(text) + 1);
        if (err != ERR_OK)
            return err;
    }
    out->message = space->data + at[0];
    out->body = space->data + at[1];
    out->job_id = space->data + at[2];
    return ERR_OK;
}

enum err store_find_answer(struct store *self, const unsigned char id[REQUEST_ID_LEN], struct answer_row *out,
                           struct buf *space, struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_ANSWER];
    db_bind_blob(s, 1, id, REQUEST_ID_LEN);
    enum err err = db_row(&self->db, s, why);
    if (err != ERR_OK)
        return err == ERR_END ? ERR_NOT_FOUND : err;
    memcpy(out->request_id, id, REQUEST_ID_LEN);
    out->status = (uint16_t)db_int(s, 0);
    out->created_us = db_int(s, 4);
    out->keyed = db_int(s, 5) != 0;
    out->fingerprint = (uint64_t)db_int(s, 6);
    out->chat_id = "";
    return stop(s, keep_answer_texts(s, out, space));
}

enum err store_counts(struct store *self, uint64_t *rooms, uint64_t *open_jobs, struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_COUNTS];
    enum err err = db_row(&self->db, s, why);
    if (err != ERR_OK)
        return err;
    *rooms = (uint64_t)db_int(s, 0);
    *open_jobs = (uint64_t)db_int(s, 1);
    return stop(s, ERR_OK);
}

enum err store_find_event_id(struct store *self, const char *chat_id, const char *event_id, uint64_t *seq,
                             struct fault *why)
{
    sqlite3_stmt *s = self->statement[LOAD_EVENT_ID];
    db_bind_text(s, 1, chat_id);
    db_bind_text(s, 2, event_id);
    enum err err = db_row(&self->db, s, why);
    if (err != ERR_OK)
        return err == ERR_END ? ERR_NOT_FOUND : err;
    *seq = (uint64_t)db_int(s, 0);
    return stop(s, ERR_OK);
}
