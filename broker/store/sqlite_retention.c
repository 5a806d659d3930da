/* Retention: which events may go is looked for on a read-only connection; the writer only deletes a range by key. */
#include "store/sqlite_store.h"

/* Events go from the oldest on, so what is left stays without holes even when the clock once went back. */
static const char *const old_events_sql =
    "SELECT c.chat_id, (SELECT MAX(seq) FROM"
    " (SELECT e.seq, e.created_us FROM events e WHERE e.chat_id = c.chat_id ORDER BY e.seq LIMIT ?5)"
    " WHERE created_us < ?2 OR seq <= c.head - ?3)"
    " FROM conversations c WHERE c.chat_id > ?1 ORDER BY c.chat_id LIMIT ?4";

static enum err walk_chats(struct db *db, sqlite3_stmt *s,
                           enum err (*each)(void *context, const char *chat_id, uint64_t upto), void *context,
                           struct fault *why)
{
    enum err err;
    while ((err = db_row(db, s, why)) == ERR_OK) {
        err = each(context, db_text(s, 0), (uint64_t)db_int(s, 1));
        if (err != ERR_OK)
            return err;
    }
    return err == ERR_END ? ERR_OK : err;
}

enum err store_read_old_events(struct store_reader *self, const char *after, const struct store_retention *keep,
                               uint32_t chats, enum err (*each)(void *context, const char *chat_id, uint64_t upto),
                               void *context, struct fault *why)
{
    struct db *db = store_reader_db(self);
    sqlite3_stmt *s = NULL;
    enum err err = db_prepare(db, old_events_sql, &s, why);
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
    struct db *db = store_reader_db(self);
    sqlite3_stmt *s = NULL;
    enum err err = db_prepare(db, "SELECT MIN(seq) FROM events WHERE chat_id = ?", &s, why);
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

enum err store_trim_events(struct store *self, const char *chat_id, uint64_t upto, uint32_t *rows, struct fault *why)
{
    sqlite3_stmt *s = self->statement[TRIM_EVENTS];
    int gone = 0;
    db_bind_text(s, 1, chat_id);
    db_bind_int(s, 2, (int64_t)upto);
    enum err err = db_execute(&self->db, s, &gone, why);
    *rows = err == ERR_OK ? (uint32_t)gone : 0;
    return err;
}
