/* Retention: what may go is looked for on a read-only connection; the writer then only deletes a range by key. */
#include "store/sqlite_store.h"

#include <stdio.h>
#include <string.h>

/* Events go from the oldest on, so what is left stays without holes even when the clock once went back. */
static const char *const old_events_sql =
    "SELECT c.chat_id, (SELECT MAX(seq) FROM"
    " (SELECT e.seq, e.created_us FROM events e WHERE e.chat_id = c.chat_id ORDER BY e.seq LIMIT ?5)"
    " WHERE created_us < ?2 OR seq <= c.head - ?3)"
    ", c.epoch FROM conversations c WHERE c.chat_id > ?1 ORDER BY c.chat_id LIMIT ?4";

static enum err walk_chats(struct db *db, sqlite3_stmt *s,
                           enum err (*each)(void *context, const struct store_old_events *old), void *context,
                           struct fault *why)
{
    enum err err;
    while ((err = db_row(db, s, why)) == ERR_OK) {
        const struct store_old_events old = {db_text(s, 0), db_text(s, 2), (uint64_t)db_int(s, 1)};
        err = each(context, &old);
        if (err != ERR_OK)
            return err;
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err store_read_old_events(struct store_reader *self, const char *after, const struct store_retention *keep,
                               uint32_t chats, enum err (*each)(void *context, const struct store_old_events *old),
                               void *context, struct fault *why)
{
    struct db *db;
    sqlite3_stmt *s = NULL;
    enum err err = store_reader_db(self, &db, why);
    if (err == ERR_OK)
        err = db_prepare(db, old_events_sql, &s, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, after);
    db_bind_int(s, 2, keep->older_than_us);
    db_bind_int(s, 3, keep->events_max ? (int64_t)keep->events_max : INT64_MAX);
    db_bind_int(s, 4, chats);
    db_bind_int(s, 5, STORE_TRIM_MAX);
    err = walk_chats(db, s, each, context, why);
    sqlite3_finalize(s);
    return err;
}

enum err store_read_oldest(struct store_reader *self, const char *chat_id, uint64_t *oldest, struct fault *why)
{
    struct db *db;
    sqlite3_stmt *s = NULL;
    enum err err = store_reader_db(self, &db, why);
    if (err == ERR_OK)
        err = db_prepare(db, "SELECT MIN(seq) FROM events WHERE chat_id = ?", &s, why);
    *oldest = 0;
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    err = db_row(db, s, why);
    if (err == ERR_OK)
        *oldest = (uint64_t)db_int(s, 0);
    sqlite3_finalize(s);
    return err == ERR_END ? ERR_OK : err;
}

/* ---- rooms ---- */

/* The order is that of the index on room and time of making, read backwards. */
static const char *const old_rooms_sql =
    "SELECT chat_id, head, created_us,"
    " COALESCE((SELECT created_us FROM events e WHERE e.chat_id = c.chat_id ORDER BY seq DESC LIMIT 1), updated_us) < "
    "?3"
    " FROM conversations c WHERE room = 1 AND created_us >= ?1 AND created_us < ?3"
    " AND (created_us > ?1 OR chat_id < ?2) ORDER BY created_us, chat_id DESC LIMIT ?4";

enum err store_read_old_rooms(struct store_reader *self, struct store_room_cursor *cursor, int64_t older_than_us,
                              uint32_t max, uint32_t *looked,
                              enum err (*each)(void *context, const char *chat_id, uint64_t head), void *context,
                              struct fault *why)
{
    struct db *db;
    sqlite3_stmt *s = NULL;
    *looked = 0;
    enum err err = store_reader_db(self, &db, why);
    if (err == ERR_OK)
        err = db_prepare(db, old_rooms_sql, &s, why);
    if (err != ERR_OK)
        return err;
    char after[ID_CHAT_MAX + 1];
    memcpy(after, cursor->chat_id, sizeof after); /* stays as it is while the statement runs */
    db_bind_int(s, 1, cursor->created_us);
    db_bind_text(s, 2, after);
    db_bind_int(s, 3, older_than_us);
    db_bind_int(s, 4, max);
    while (err == ERR_OK && (err = db_row(db, s, why)) == ERR_OK) {
        ++*looked;
        cursor->created_us = db_int(s, 2);
        snprintf(cursor->chat_id, sizeof cursor->chat_id, "%s", db_text(s, 0));
        if (db_int(s, 3))
            err = each(context, cursor->chat_id, (uint64_t)db_int(s, 1));
    }
    sqlite3_finalize(s);
    return err == ERR_END ? ERR_OK : err;
}

/* ---- answers ---- */

enum err store_read_old_answers(struct store_reader *self, struct store_answer_range *range, uint32_t max,
                                uint32_t *looked, uint32_t *old, struct fault *why)
{
    struct db *db;
    sqlite3_stmt *s = NULL;
    *looked = *old = 0;
    enum err err = store_reader_db(self, &db, why);
    if (err == ERR_OK)
        err = db_prepare(db,
                         "SELECT request_id, keyed = 0 AND created_us < ?2 FROM answers WHERE request_id > ?1"
                         " ORDER BY request_id LIMIT ?3",
                         &s, why);
    if (err != ERR_OK)
        return err;
    db_bind_blob(s, 1, range->after, sizeof range->after);
    db_bind_int(s, 2, range->older_than_us);
    db_bind_int(s, 3, max);
    while ((err = db_row(db, s, why)) == ERR_OK) {
        if (sqlite3_column_bytes(s, 0) == REQUEST_ID_LEN)
            memcpy(range->upto, sqlite3_column_blob(s, 0), REQUEST_ID_LEN);
        *old += (uint32_t)db_int(s, 1);
        ++*looked;
    }
    sqlite3_finalize(s);
    return err == ERR_END ? ERR_OK : err;
}

/* ---- files ---- */

static enum err read_busy(struct db *db, const char *chat_id, bool *busy, struct fault *why)
{
    sqlite3_stmt *s = NULL;
    enum err err = db_prepare(db, "SELECT EXISTS(SELECT 1 FROM jobs WHERE chat_id = ? AND final = 0)", &s, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    err = db_row(db, s, why);
    *busy = err == ERR_OK && db_int(s, 0);
    sqlite3_finalize(s);
    return err;
}

enum err store_read_keys(struct store_reader *self, const char *chat_id, bool *busy,
                         enum err (*each)(void *context, const char *key), void *context, struct fault *why)
{
    struct db *db;
    sqlite3_stmt *s = NULL;
    enum err err = store_reader_db(self, &db, why);
    if (err == ERR_OK)
        err = read_busy(db, chat_id, busy, why);
    if (err != ERR_OK || *busy)
        return err;
    err = db_prepare(db,
                     "SELECT key FROM files WHERE chat_id = ?1 UNION ALL SELECT input_key FROM jobs WHERE chat_id = ?1"
                     " UNION ALL SELECT spool_key FROM workflow_steps WHERE chat_id = ?1 AND spool_key <> ''",
                     &s, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, chat_id);
    while (err == ERR_OK && (err = db_row(db, s, why)) == ERR_OK)
        err = each(context, db_text(s, 0));
    sqlite3_finalize(s);
    return err == ERR_END ? ERR_OK : err;
}

enum err store_read_born(struct store_reader *self, int64_t *born_us, struct fault *why)
{
    struct db *db;
    sqlite3_stmt *s = NULL;
    enum err err = store_reader_db(self, &db, why);
    if (err == ERR_OK)
        err = db_prepare(db, "SELECT value FROM meta WHERE key = 'born_us'", &s, why);
    if (err != ERR_OK)
        return err;
    err = db_row(db, s, why);
    *born_us = err == ERR_OK ? db_int(s, 0) : 0;
    sqlite3_finalize(s);
    return err == ERR_END ? fault_set(why, ERR_NOT_FOUND, "the record does not say when it was made") : err;
}
