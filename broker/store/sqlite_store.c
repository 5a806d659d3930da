/* The writer: opens the record under a lock, raises the term, and turns a list of changes into one transaction. */
#include "store/sqlite_store.h"

#include "store/sqlite_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define JOB_COLUMNS                                                                                                    \
    "job_id, chat_id, status, attempts, token_term, token_counter, last_number, input_name, input_key, trace, error,"  \
    " total_steps, submitted_us, started_us, completed_us, retry_of, set_back, spools_gone"

static const char *const sql[STORE_STATEMENTS] = {
    [WRITE_CHAT] = "INSERT INTO conversations VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT(chat_id) DO UPDATE SET"
                   " participant_name=?3, status=?4, partition_key=?5, metadata=?6, epoch=?7, head=?8, updated_us=?10",
    [WRITE_CHAT_LISTED] = "UPDATE conversations SET room = ?2, created_us = ?3 WHERE chat_id = ?1"
                          " AND (room <> ?2 OR created_us <> ?3)",
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
    [TRIM_EVENTS] = "DELETE FROM events WHERE chat_id = ?1 AND seq <= ?2"
                    " AND NOT EXISTS (SELECT 1 FROM jobs WHERE chat_id = ?1 AND final = 0)",
    [FORGET_ANSWERS] =
        "DELETE FROM answers WHERE request_id > ?1 AND request_id <= ?2 AND keyed = 0 AND created_us < ?3",
};

static enum err take_lock(struct store *self, const char *path, struct fault *why)
{
    char name[PATH_MAX];
    if ((size_t)snprintf(name, sizeof name, "%s.lock", path) >= sizeof name)
        return fault_set(why, ERR_TOO_LARGE, "%s: path too long", path);
    self->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (self->lock_fd < 0)
        return fault_errno(why, "%s", name);
    if (flock(self->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return fault_set(why, ERR_CONFLICT, "%s: another broker has this record open", path);
    return fault_errno(why, "%s", name);
}

static enum err prepare_all(struct store *self, struct fault *why)
{
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < STORE_STATEMENTS; i++)
        err = db_prepare(&self->db, sql[i], &self->statement[i], why);
    return err;
}

enum err store_open(struct store **out, const char *path, uint64_t *term, struct fault *why)
{
    struct store *self = calloc(1, sizeof *self);
    if (!self)
        return fault_set(why, ERR_MEMORY, "%s: out of memory", path);
    self->lock_fd = -1;
    enum err err = take_lock(self, path, why);
    if (err == ERR_OK)
        err = db_open(&self->db, path, false, why);
    if (err == ERR_OK)
        err = schema_ensure(&self->db, why);
    if (err == ERR_OK)
        err = schema_adopt_copy(&self->db, why);
    if (err == ERR_OK)
        err = schema_raise_term(&self->db, term, why);
    if (err == ERR_OK)
        err = prepare_all(self, why);
    if (err != ERR_OK)
        store_close(&self);
    *out = self;
    return err;
}

void store_close(struct store **self_p)
{
    struct store *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(self->statement[i]);
    db_close(&self->db);
    if (self->lock_fd >= 0)
        close(self->lock_fd);
    free(self);
    *self_p = NULL;
}

static enum err run(struct store *self, enum store_statement which, int *rows, struct fault *why)
{
    return db_execute(&self->db, self->statement[which], rows, why);
}

/* What the list of conversations is ordered by hardly ever changes, and its index is left alone when it does not. */
static enum err put_chat(struct store *self, const struct chat_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_CHAT];
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
    enum err err = run(self, WRITE_CHAT, NULL, why);
    if (err != ERR_OK)
        return err;
    s = self->statement[WRITE_CHAT_LISTED];
    db_bind_text(s, 1, row->chat_id);
    db_bind_int(s, 2, row->room);
    db_bind_int(s, 3, row->created_us);
    return run(self, WRITE_CHAT_LISTED, NULL, why);
}

/* The rows go by cascade; the files they name become to-delete entries in the same transaction. */
static enum err delete_chat(struct store *self, const struct chat_row *row, struct fault *why)
{
    static const enum store_statement order[] = {WRITE_CHAT_GARBAGE_FILES, WRITE_CHAT_GARBAGE_SPOOLS,
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

static enum err add_message(struct store *self, const struct message_row *row, struct fault *why)
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

static enum err add_file(struct store *self, const struct file_row *row, struct fault *why)
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

static enum err put_job(struct store *self, const struct job_row *row, struct fault *why)
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

static enum err put_step(struct store *self, const struct step_row *row, struct fault *why)
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

static enum err add_event(struct store *self, const struct event_row *row, struct fault *why)
{
    sqlite3_stmt *s = self->statement[WRITE_EVENT];
    db_bind_text(s, 1, row->chat_id);
    db_bind_int(s, 2, (int64_t)row->seq);
    db_bind_text(s, 3, row->type);
    db_bind_text(s, 4, row->job_id);
    db_bind_text(s, 5, row->event_id);
    db_bind_bytes(s, 6, row->body, row->body_len);
    db_bind_int(s, 7, row->created_us);
    enum err err = run(self, WRITE_EVENT, NULL, why);
    if (err != ERR_OK)
        return err;
    int rows = 0;
    s = self->statement[WRITE_HEAD];
    db_bind_text(s, 1, row->chat_id);
    db_bind_int(s, 2, (int64_t)row->seq);
    err = run(self, WRITE_HEAD, &rows, why);
    if (err == ERR_OK && rows != 1)
        err = fault_set(why, ERR_INTERNAL, "record: event for a chat that has no row: %s", row->chat_id);
    return err;
}

static enum err put_answer(struct store *self, const struct answer_row *row, struct fault *why)
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

static enum err one_key(struct store *self, enum store_statement which, const char *key, struct fault *why)
{
    db_bind_text(self->statement[which], 1, key);
    return run(self, which, NULL, why);
}

static enum err apply(struct store *self, const struct change *change, struct fault *why)
{
    switch (change->kind) {
    case CHANGE_CHAT_PUT: return put_chat(self, &change->of.chat, why);
    case CHANGE_CHAT_DELETE: return delete_chat(self, &change->of.chat, why);
    case CHANGE_MESSAGE_ADD: return add_message(self, &change->of.message, why);
    case CHANGE_FILE_ADD: return add_file(self, &change->of.file, why);
    case CHANGE_JOB_PUT: return put_job(self, &change->of.job, why);
    case CHANGE_STEP_PUT: return put_step(self, &change->of.step, why);
    case CHANGE_EVENT_ADD: return add_event(self, &change->of.event, why);
    case CHANGE_ANSWER_PUT: return put_answer(self, &change->of.answer, why);
    case CHANGE_GARBAGE_ADD: return one_key(self, WRITE_GARBAGE, change->of.garbage_key, why);
    }
    return fault_set(why, ERR_INTERNAL, "record: unknown change %d", (int)change->kind);
}

static enum err told(struct store *self, enum err err)
{
    self->torn = self->torn || err == ERR_IO;
    return err;
}

enum err store_commit(struct store *self, const struct changes *batch, struct fault *why)
{
    if (self->torn)
        return fault_set(why, ERR_IO, "record: an earlier write failed half way");
    enum err err = db_run(&self->db, "BEGIN IMMEDIATE", why);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; err == ERR_OK && i < changes_count(batch); i++)
        err = apply(self, changes_at(batch, i), why);
    if (err == ERR_OK)
        err = db_commit(&self->db, why);
    if (err != ERR_OK && !sqlite3_get_autocommit(self->db.handle))
        sqlite3_exec(self->db.handle, "ROLLBACK", NULL, NULL, NULL);
    return told(self, err);
}

enum err store_garbage_done(struct store *self, const char *key, struct fault *why)
{
    return told(self, one_key(self, WRITE_GARBAGE_DONE, key, why));
}
