/* What the core needs back: rows of one chat, chats with open jobs, answers and event ids. The loop's own connection;
 * no batch can come in between two of its statements, as the loop is who hands them over. */
#include "store/sqlite_store.h"

#include <string.h>

#define JOB_COLUMNS                                                                                                    \
    "job_id, chat_id, status, attempts, token_term, token_counter, last_number, input_name, input_key, trace, error,"  \
    " total_steps, submitted_us, started_us, completed_us, retry_of, set_back, spools_gone"

static const char *const sql[LOAD_STATEMENTS] = {

    [LOAD_CHAT] = "SELECT chat_id, room, participant_name, status, partition_key, metadata, epoch, head, created_us,"
                  " updated_us FROM conversations WHERE chat_id = ?",
    [LOAD_JOBS] = "SELECT " JOB_COLUMNS " FROM jobs WHERE chat_id = ?1 AND job_id IN"
                  " (SELECT job_id FROM jobs WHERE chat_id = ?1 AND final = 0 UNION"
                  " SELECT MAX(job_id) FROM jobs WHERE chat_id = ?1 AND final = 1) ORDER BY submitted_us, job_id",
    [LOAD_JOB] = "SELECT " JOB_COLUMNS " FROM jobs WHERE chat_id = ?1 AND job_id = ?2",
    [LOAD_STEPS] =
        "SELECT step_id, chat_id, job_id, step_index, operation, arguments, input_file, output_file, spool_key,"
        " result, status, progress, error_message, started_us, completed_us FROM workflow_steps"
        " WHERE chat_id = ?1 AND job_id = ?2 ORDER BY step_index",
    [LOAD_EVENTS] = "SELECT chat_id, seq, type, job_id, event_id, body, created_us FROM"
                    " (SELECT * FROM events WHERE chat_id = ?1 ORDER BY seq DESC LIMIT ?2) ORDER BY seq",
    [LOAD_FILES] = "SELECT file_id, chat_id, name, key, file_type, bytes, job_id, created_us FROM files"
                   " WHERE chat_id = ? ORDER BY position",
    [LOAD_BUSY] = "SELECT chat_id FROM jobs WHERE final = 0 GROUP BY chat_id ORDER BY MIN(submitted_us)",
    [LOAD_ANSWER] =
        "SELECT status, message, body, job_id, created_us, keyed, fingerprint FROM answers WHERE request_id = ?",
    [LOAD_COUNTS] =
        "SELECT (SELECT COUNT(*) FROM conversations WHERE room = 1), (SELECT COUNT(*) FROM jobs WHERE final = 0)",
    [LOAD_EVENT_ID] = "SELECT seq FROM events WHERE chat_id = ? AND event_id = ?",
    [LOAD_GARBAGE] = "SELECT key FROM garbage ORDER BY created_us LIMIT ?",
};

enum err loader_open(struct loader *self, const char *path, struct fault *why)
{
    enum err err = db_open(&self->db, path, true, why);
    for (size_t i = 0; err == ERR_OK && i < LOAD_STATEMENTS; i++)
        err = db_prepare(&self->db, sql[i], &self->statement[i], why);
    return err;
}

void loader_close(struct loader *self)
{
    for (size_t i = 0; i < LOAD_STATEMENTS; i++)
        sqlite3_finalize(self->statement[i]);
    db_close(&self->db);
    *self = (struct loader){.db = {NULL}};
}

/* Until a read sees this batch; most concern none that is on its way. */
static enum err see(struct store *self, uint64_t batch, struct fault *why)
{
    return batch == 0 ? ERR_OK : applier_wait(self->applier, batch, why);
}

/* Another word than ours can only be one that somebody else wrote there. */
static int known(int number)
{
    return number < 0 ? 0 : number;
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
    sqlite3_stmt *s = self->loader.statement[LOAD_CHAT];
    db_bind_text(s, 1, chat_id);
    enum err err = db_row(&self->loader.db, s, why);
    if (err == ERR_END)
        return fault_set(why, ERR_NOT_FOUND, "Conversation not found");
    if (err != ERR_OK)
        return err;
    struct chat_row row = {
        .chat_id = db_text(s, 0),
        .room = db_int(s, 1) != 0,
        .participant_name = db_text(s, 2),
        .status = (enum chat_status)known(chat_status_of(db_text(s, 3))),
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
        .status = (enum step_status)known(step_status_of(db_text(s, 10))),
        .progress = (uint32_t)db_int(s, 11),
        .error_message = db_text(s, 12),
        .started_us = db_int(s, 13),
        .completed_us = db_int(s, 14),
    };
}

static enum err load_steps(struct store *self, const char *chat_id, const char *job_id, const struct store_load *to,
                           struct fault *why)
{
    sqlite3_stmt *s = self->loader.statement[LOAD_STEPS];
    db_bind_text(s, 1, chat_id);
    db_bind_text(s, 2, job_id);
    enum err err;
    while ((err = db_row(&self->loader.db, s, why)) == ERR_OK) {
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
        .status = (enum job_status)known(job_status_of(db_text(s, 2))),
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
static enum err load_jobs(struct store *self, enum load_statement which, const char *chat_id,
                          const struct store_load *to, bool *any, struct fault *why)
{
    sqlite3_stmt *s = self->loader.statement[which];
    enum err err;
    db_bind_text(s, 1, chat_id);
    while ((err = db_row(&self->loader.db, s, why)) == ERR_OK) {
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
    enum err err = see(self, unapplied_chat(self->unapplied, chat_id), why);
    if (err != ERR_OK)
        return err;
    db_bind_text(self->loader.statement[LOAD_JOB], 2, job_id);
    err = load_jobs(self, LOAD_JOB, chat_id, to, &found, why);
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
    sqlite3_stmt *s = self->loader.statement[LOAD_EVENTS];
    db_bind_text(s, 1, chat_id);
    db_bind_int(s, 2, events);
    enum err err;
    while ((err = db_row(&self->loader.db, s, why)) == ERR_OK) {
        struct event_row row = event_row_of(s);
        err = to->event(to->context, &row);
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

static enum err load_files(struct store *self, const char *chat_id, const struct store_load *to, struct fault *why)
{
    sqlite3_stmt *s = self->loader.statement[LOAD_FILES];
    db_bind_text(s, 1, chat_id);
    enum err err;
    while ((err = db_row(&self->loader.db, s, why)) == ERR_OK) {
        struct file_row row = {
            .file_id = db_text(s, 0),
            .chat_id = db_text(s, 1),
            .name = db_text(s, 2),
            .key = db_text(s, 3),
            .type = (enum file_type)known(file_type_of(db_text(s, 4))),
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
    enum err err = see(self, unapplied_chat(self->unapplied, chat_id), why);
    if (err == ERR_OK)
        err = load_chat_row(self, chat_id, to, why);
    if (err == ERR_OK)
        err = load_jobs(self, LOAD_JOBS, chat_id, to, &jobs, why);
    if (err == ERR_OK)
        err = load_events(self, chat_id, events, to, why);
    if (err == ERR_OK)
        err = load_files(self, chat_id, to, why);
    return err;
}

static enum err each_text(struct store *self, enum load_statement which, enum err (*each)(void *, const char *),
                          void *context, struct fault *why)
{
    sqlite3_stmt *s = self->loader.statement[which];
    enum err err;
    while ((err = db_row(&self->loader.db, s, why)) == ERR_OK) {
        err = each(context, db_text(s, 0));
        if (err != ERR_OK)
            return stop(s, err);
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err store_busy_chats(struct store *self, enum err (*each)(void *context, const char *chat_id), void *context,
                          struct fault *why)
{
    enum err err = applier_wait_all(self->applier, why);
    return err == ERR_OK ? each_text(self, LOAD_BUSY, each, context, why) : err;
}

enum err store_garbage(struct store *self, uint32_t max, enum err (*each)(void *context, const char *key),
                       void *context, struct fault *why)
{
    enum err err = see(self, unapplied_garbage(self->unapplied), why);
    if (err != ERR_OK)
        return err;
    db_bind_int(self->loader.statement[LOAD_GARBAGE], 1, max);
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
    sqlite3_stmt *s = self->loader.statement[LOAD_ANSWER];
    enum err err = see(self, unapplied_answer(self->unapplied, id), why);
    if (err != ERR_OK)
        return err;
    db_bind_blob(s, 1, id, REQUEST_ID_LEN);
    err = db_row(&self->loader.db, s, why);
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
    sqlite3_stmt *s = self->loader.statement[LOAD_COUNTS];
    enum err err = applier_wait_all(self->applier, why);
    if (err == ERR_OK)
        err = db_row(&self->loader.db, s, why);
    if (err != ERR_OK)
        return err;
    *rooms = (uint64_t)db_int(s, 0);
    *open_jobs = (uint64_t)db_int(s, 1);
    return stop(s, ERR_OK);
}

enum err store_find_event_id(struct store *self, const char *chat_id, const char *event_id, uint64_t *seq,
                             struct fault *why)
{
    sqlite3_stmt *s = self->loader.statement[LOAD_EVENT_ID];
    enum err err = see(self, unapplied_event_id(self->unapplied, chat_id, event_id), why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    db_bind_text(s, 2, event_id);
    err = db_row(&self->loader.db, s, why);
    if (err != ERR_OK)
        return err == ERR_END ? ERR_NOT_FOUND : err;
    *seq = (uint64_t)db_int(s, 0);
    return stop(s, ERR_OK);
}
