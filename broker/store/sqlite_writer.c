/* The writing connection: a change becomes a row. */
#include "store/sqlite_writer.h"

#include "store/sqlite_schema.h"
#include "store/sqlite_store.h"

static const char *const sql[WRITER_STATEMENTS] = {
    [WRITE_CHAT_AGAIN] = "UPDATE conversations SET participant_name=?3, status=?4, partition_key=?5, metadata=?6,"
                         " epoch=?7, head=?8, updated_us=?10 WHERE chat_id=?1 AND room=?2 AND created_us=?9",
    [WRITE_CHAT] = "INSERT INTO conversations VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT(chat_id) DO UPDATE SET"
                   " room=?2, participant_name=?3, status=?4, partition_key=?5, metadata=?6, epoch=?7, head=?8,"
                   " created_us=?9, updated_us=?10",
    [WRITE_CHAT_GARBAGE_FILES] = "INSERT OR IGNORE INTO garbage SELECT key, ?2 FROM files WHERE chat_id = ?1",
    [WRITE_CHAT_GARBAGE_SPOOLS] = "INSERT OR IGNORE INTO garbage SELECT spool_key, ?2 FROM workflow_steps"
                                  " WHERE chat_id = ?1 AND spool_key <> ''",
    [WRITE_CHAT_ANSWERS] = "DELETE FROM answers WHERE keyed = 1 AND chat_id = ?1",
    [WRITE_CHAT_DELETE] = "DELETE FROM conversations WHERE chat_id = ?",
    [WRITE_MESSAGE] = "INSERT INTO messages(message_id, chat_id, message_type, content, metadata, created_us)"
                      " VALUES(?,?,?,?,?,?)",
    [WRITE_FILE] = "INSERT INTO files(file_id, chat_id, name, key, file_type, bytes, job_id, created_us)"
                   " VALUES(?,?,?,?,?,?,?,?)",
    [WRITE_JOB] =
        "INSERT INTO jobs VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)"
        " ON CONFLICT(chat_id, job_id) DO UPDATE SET status=?3, final=?4, attempts=?5, token_term=?6, token_counter=?7,"
        " last_number=?8, error=?12, started_us=?15, completed_us=?16, set_back=?18, spools_gone=?19",
    [WRITE_STEP] = "INSERT INTO workflow_steps VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)"
                   " ON CONFLICT(chat_id, job_id, step_index) DO UPDATE SET input_file=?7, output_file=?8, "
                   "spool_key=?9, result=?10,"
                   " status=?11, progress=?12, error_message=?13, started_us=?14, completed_us=?15",
    [WRITE_EVENT] = "INSERT INTO events VALUES(?1,?2,?3,?4,NULLIF(?5,''),?6,?7)",
    [WRITE_HEAD] = "UPDATE conversations SET head = ?2 WHERE chat_id = ?1",
    [WRITE_ANSWER] = "INSERT OR REPLACE INTO answers VALUES(?,?,?,?,?,?,?,?,?)",
    [WRITE_GARBAGE] = "INSERT OR IGNORE INTO garbage VALUES(?, CAST(strftime('%s','now') AS INTEGER) * 1000000)",
    [WRITE_GARBAGE_DONE] = "DELETE FROM garbage WHERE key = ?",
    [WRITE_APPLIED] = "INSERT INTO meta VALUES('" JOURNAL_APPLIED_KEY "', ?) ON CONFLICT(key) DO UPDATE SET"
                      " value = excluded.value",
    [WRITE_TRIM] = "DELETE FROM events WHERE chat_id = ?1 AND seq <= ?2"
                   " AND EXISTS (SELECT 1 FROM conversations WHERE chat_id = ?1 AND epoch = ?3)"
                   " AND NOT EXISTS (SELECT 1 FROM jobs WHERE chat_id = ?1 AND final = 0)",
    [WRITE_FORGET_ANSWERS] =
        "DELETE FROM answers WHERE request_id > ?1 AND request_id <= ?2 AND keyed = 0 AND created_us < ?3",
};

static enum err run(struct writer *self, enum writer_statement which, int *rows, struct fault *why)
{
    return db_execute(&self->db, self->statement[which], rows, why);
}

static enum err write_chat(struct writer *self, enum writer_statement which, const struct chat_row *row, int *rows,
                           struct fault *why)
{
    sqlite3_stmt *s = self->statement[which];
    db_bind_text(s, 1, row->chat_id);
    db_bind_int(s, 2, row->room);
    db_bind_text(s, 3, row->participant_name);
    db_bind_text(s, 4, chat_status_name(row->status));
    db_bind_text(s, 5, row->partition_key);
    db_bind_text(s, 6, row->metadata);
    db_bind_text(s, 7, row->epoch);
    db_bind_int(s, 8, (int64_t)row->head);
    db_bind_int(s, 9, row->created_us);
    db_bind_int(s, 10, row->updated_us);
    return run(self, which, rows, why);
}

/* What the list of conversations is ordered by hardly ever changes, and its index is left alone when it does not. */
static enum err put_chat(struct writer *self, const struct chat_row *row, struct fault *why)
{
    int rows = 0;
    enum err err = write_chat(self, WRITE_CHAT_AGAIN, row, &rows, why);
    return err == ERR_OK && rows == 0 ? write_chat(self, WRITE_CHAT, row, NULL, why) : err;
}

/* The rows go by cascade; the files they name become to-delete entries in the same transaction. */
static enum err delete_chat(struct writer *self, const struct chat_row *row, struct fault *why)
{
    static const enum writer_statement order[] = {WRITE_CHAT_GARBAGE_FILES, WRITE_CHAT_GARBAGE_SPOOLS,
                                                  WRITE_CHAT_ANSWERS, WRITE_CHAT_DELETE};
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < sizeof order / sizeof *order; i++) {
        sqlite3_stmt *s = self->statement[order[i]];
        db_bind_text(s, 1, row->chat_id);
        if (order[i] == WRITE_CHAT_GARBAGE_FILES || order[i] == WRITE_CHAT_GARBAGE_SPOOLS)
            db_bind_int(s, 2, row->updated_us);
        err = run(self, order[i], NULL, why);
    }
    return err;
}

static enum err add_message(struct writer *self, const struct message_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_MESSAGE];
    db_bind_text(s, 1, row->message_id);
    db_bind_text(s, 2, row->chat_id);
    db_bind_text(s, 3, row->message_type);
    db_bind_text(s, 4, row->content);
    db_bind_text(s, 5, row->metadata);
    db_bind_int(s, 6, row->created_us);
    return run(self, WRITE_MESSAGE, NULL, why);
}

static enum err add_file(struct writer *self, const struct file_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_FILE];
    db_bind_text(s, 1, row->file_id);
    db_bind_text(s, 2, row->chat_id);
    db_bind_text(s, 3, row->name);
    db_bind_text(s, 4, row->key);
    db_bind_text(s, 5, file_type_name(row->type));
    db_bind_int(s, 6, (int64_t)row->bytes);
    db_bind_text(s, 7, row->job_id);
    db_bind_int(s, 8, row->created_us);
    return run(self, WRITE_FILE, NULL, why);
}

static enum err put_job(struct writer *self, const struct job_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_JOB];
    db_bind_text(s, 1, row->job_id);
    db_bind_text(s, 2, row->chat_id);
    db_bind_text(s, 3, job_status_name(row->status));
    db_bind_int(s, 4, job_status_final(row->status));
    db_bind_int(s, 5, row->attempts);
    db_bind_int(s, 6, (int64_t)row->token.term);
    db_bind_int(s, 7, (int64_t)row->token.counter);
    db_bind_int(s, 8, (int64_t)row->last_number);
    db_bind_text(s, 9, row->input_name);
    db_bind_text(s, 10, row->input_key);
    db_bind_text(s, 11, row->trace);
    db_bind_text(s, 12, row->error);
    db_bind_int(s, 13, row->total_steps);
    db_bind_int(s, 14, row->submitted_us);
    db_bind_int(s, 15, row->started_us);
    db_bind_int(s, 16, row->completed_us);
    db_bind_text(s, 17, row->retry_of);
    db_bind_int(s, 18, row->set_back);
    db_bind_int(s, 19, row->spools_gone);
    return run(self, WRITE_JOB, NULL, why);
}

static enum err put_step(struct writer *self, const struct step_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_STEP];
    db_bind_text(s, 1, row->step_id);
    db_bind_text(s, 2, row->chat_id);
    db_bind_text(s, 3, row->job_id);
    db_bind_int(s, 4, row->index);
    db_bind_text(s, 5, row->operation);
    db_bind_text(s, 6, row->arguments);
    db_bind_text(s, 7, row->input_file);
    db_bind_text(s, 8, row->output_file);
    db_bind_text(s, 9, row->spool_key);
    db_bind_text(s, 10, row->result);
    db_bind_text(s, 11, step_status_name(row->status));
    db_bind_int(s, 12, row->progress);
    db_bind_text(s, 13, row->error_message);
    db_bind_int(s, 14, row->started_us);
    db_bind_int(s, 15, row->completed_us);
    return run(self, WRITE_STEP, NULL, why);
}

static enum err add_event(struct writer *self, const struct event_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_EVENT];
    db_bind_text(s, 1, row->chat_id);
    db_bind_int(s, 2, (int64_t)row->seq);
    db_bind_text(s, 3, row->type);
    db_bind_text(s, 4, row->job_id);
    db_bind_text(s, 5, row->event_id);
    db_bind_bytes(s, 6, row->body, row->body_len);
    db_bind_int(s, 7, row->created_us);
    return run(self, WRITE_EVENT, NULL, why);
}

static enum err move_head(struct writer *self, const struct event_row *row, struct fault *why)
{
    int rows = 0;
    sqlite3_stmt *s = self->statement[WRITE_HEAD];
    db_bind_text(s, 1, row->chat_id);
    db_bind_int(s, 2, (int64_t)row->seq);
    enum err err = run(self, WRITE_HEAD, &rows, why);
    if (err == ERR_OK && rows != 1)
        err = fault_set(why, ERR_INTERNAL, "record: event for a chat that has no row: %s", row->chat_id);
    return err;
}

static enum err put_answer(struct writer *self, const struct answer_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_ANSWER];
    db_bind_blob(s, 1, row->request_id, sizeof row->request_id);
    db_bind_int(s, 2, row->status);
    db_bind_text(s, 3, row->message);
    db_bind_text(s, 4, row->body);
    db_bind_text(s, 5, row->job_id);
    db_bind_int(s, 6, row->created_us);
    db_bind_int(s, 7, row->keyed);
    db_bind_int(s, 8, (int64_t)row->fingerprint);
    db_bind_text(s, 9, row->chat_id);
    return run(self, WRITE_ANSWER, NULL, why);
}

static enum err one_key(struct writer *self, enum writer_statement which, const char *key, struct fault *why)
{
    db_bind_text(self->statement[which], 1, key);
    return run(self, which, NULL, why);
}

enum err writer_apply(struct writer *self, const struct change *change, struct fault *why)
{
    enum err err;
    switch (change->kind) {
    case CHANGE_CHAT_PUT: return put_chat(self, &change->of.chat, why);
    case CHANGE_CHAT_DELETE: return delete_chat(self, &change->of.chat, why);
    case CHANGE_MESSAGE_ADD: return add_message(self, &change->of.message, why);
    case CHANGE_FILE_ADD: return add_file(self, &change->of.file, why);
    case CHANGE_JOB_PUT: return put_job(self, &change->of.job, why);
    case CHANGE_STEP_PUT: return put_step(self, &change->of.step, why);
    case CHANGE_EVENT_ADD:
        err = add_event(self, &change->of.event, why);
        return err == ERR_OK ? move_head(self, &change->of.event, why) : err;
    case CHANGE_ANSWER_PUT: return put_answer(self, &change->of.answer, why);
    case CHANGE_GARBAGE_ADD: return one_key(self, WRITE_GARBAGE, change->of.garbage_key, why);
    }
    return fault_set(why, ERR_INTERNAL, "record: unknown change %d", (int)change->kind);
}

static enum err apply_row(struct writer *self, enum change_kind list, const struct change *row, struct fault *why)
{
    if (row->kind != CHANGE_EVENT_ADD)
        return writer_apply(self, row, why);
    return list == CHANGE_CHAT_PUT ? move_head(self, &row->of.event, why) : add_event(self, &row->of.event, why);
}

/* A chat before the rows that name it. */
enum err writer_apply_rows(struct writer *self, const struct final_rows *rows, struct fault *why)
{
    static const enum change_kind order[] = {CHANGE_CHAT_PUT,   CHANGE_MESSAGE_ADD, CHANGE_FILE_ADD,
                                             CHANGE_JOB_PUT,    CHANGE_STEP_PUT,    CHANGE_EVENT_ADD,
                                             CHANGE_ANSWER_PUT, CHANGE_GARBAGE_ADD};
    enum err err = ERR_OK;
    for (size_t k = 0; k < sizeof order / sizeof *order; k++)
        for (size_t i = 0; err == ERR_OK && i < final_rows_count(rows, order[k]); i++)
            err = apply_row(self, order[k], final_rows_at(rows, order[k], i), why);
    return err;
}

enum err writer_open(struct writer *self, const char *path, struct fault *why)
{
    enum err err = db_open(&self->db, path, false, why);
    if (err == ERR_OK)
        err = schema_ensure(&self->db, why);
    if (err == ERR_OK)
        err = schema_adopt_copy(&self->db, why);
    for (size_t i = 0; err == ERR_OK && i < WRITER_STATEMENTS; i++)
        err = db_prepare(&self->db, sql[i], &self->statement[i], why);
    if (err != ERR_OK)
        writer_close(self);
    return err;
}

void writer_close(struct writer *self)
{
    for (size_t i = 0; i < WRITER_STATEMENTS; i++)
        sqlite3_finalize(self->statement[i]);
    db_close(&self->db);
    *self = (struct writer){.db = {NULL}};
}

enum err writer_begin(struct writer *self, bool synced, struct fault *why)
{
    enum err err = db_run(&self->db, synced ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", why);
    return err == ERR_OK ? db_run(&self->db, "BEGIN IMMEDIATE", why) : err;
}

enum err writer_commit(struct writer *self, uint64_t applied, struct fault *why)
{
    db_bind_int(self->statement[WRITE_APPLIED], 1, (int64_t)applied);
    enum err err = run(self, WRITE_APPLIED, NULL, why);
    return err == ERR_OK ? db_run(&self->db, "COMMIT", why) : err;
}

void writer_undo(struct writer *self)
{
    if (!sqlite3_get_autocommit(self->db.handle))
        sqlite3_exec(self->db.handle, "ROLLBACK", NULL, NULL, NULL);
}

enum err writer_keep(struct writer *self, const struct changes *batch, struct fault *why)
{
    enum err err = writer_begin(self, true, why);
    for (size_t i = 0; err == ERR_OK && i < changes_count(batch); i++)
        err = writer_apply(self, changes_at(batch, i), why);
    if (err == ERR_OK)
        err = db_commit(&self->db, why);
    if (err != ERR_OK)
        writer_undo(self);
    return err;
}

enum err writer_forget_garbage(struct writer *self, const char *key, struct fault *why)
{
    return one_key(self, WRITE_GARBAGE_DONE, key, why);
}

enum err writer_trim(struct writer *self, const struct store_old_events *old, uint32_t *rows, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_TRIM];
    int gone = 0;
    db_bind_text(s, 1, old->chat_id);
    db_bind_int(s, 2, (int64_t)old->upto);
    db_bind_text(s, 3, old->epoch);
    enum err err = run(self, WRITE_TRIM, &gone, why);
    *rows = err == ERR_OK ? (uint32_t)gone : 0;
    return err;
}

enum err writer_forget_answers(struct writer *self, const struct store_answer_range *range, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_FORGET_ANSWERS];
    db_bind_blob(s, 1, range->after, sizeof range->after);
    db_bind_blob(s, 2, range->upto, sizeof range->upto);
    db_bind_int(s, 3, range->older_than_us);
    return run(self, WRITE_FORGET_ANSWERS, NULL, why);
}
