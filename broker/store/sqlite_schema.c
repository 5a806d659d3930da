#include "store/sqlite_schema.h"

#include "id.h"

static const char *const tables =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS conversations("
    " chat_id TEXT PRIMARY KEY, room INTEGER NOT NULL, participant_name TEXT NOT NULL, status TEXT NOT NULL,"
    " partition_key TEXT NOT NULL, metadata TEXT NOT NULL, epoch TEXT NOT NULL, head INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS conversations_newest ON conversations(room, created_us DESC);"
    "CREATE TABLE IF NOT EXISTS messages("
    " position INTEGER PRIMARY KEY, message_id TEXT NOT NULL,"
    " chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
    " message_type TEXT NOT NULL, content TEXT NOT NULL, metadata TEXT NOT NULL, created_us INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS messages_chat ON messages(chat_id, position);"
    "CREATE TABLE IF NOT EXISTS jobs("
    " job_id TEXT NOT NULL, chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
    " status TEXT NOT NULL, final INTEGER NOT NULL, attempts INTEGER NOT NULL, token_term INTEGER NOT NULL,"
    " token_counter INTEGER NOT NULL, last_number INTEGER NOT NULL, input_name TEXT NOT NULL, input_key TEXT NOT NULL,"
    " trace TEXT NOT NULL, error TEXT NOT NULL, total_steps INTEGER NOT NULL, submitted_us INTEGER NOT NULL,"
    " started_us INTEGER NOT NULL, completed_us INTEGER NOT NULL, retry_of TEXT NOT NULL DEFAULT '',"
    " set_back INTEGER NOT NULL DEFAULT 0, spools_gone INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(chat_id, job_id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS jobs_open ON jobs(chat_id, submitted_us) WHERE final = 0;"
    "CREATE TABLE IF NOT EXISTS workflow_steps("
    " step_id TEXT NOT NULL, chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,"
    " job_id TEXT NOT NULL, step_index INTEGER NOT NULL, operation TEXT NOT NULL, arguments TEXT NOT NULL,"
    " input_file TEXT NOT NULL, output_file TEXT NOT NULL, spool_key TEXT NOT NULL, result TEXT NOT NULL,"
    " status TEXT NOT NULL, progress INTEGER NOT NULL, error_message TEXT NOT NULL, started_us INTEGER NOT NULL,"
    " completed_us INTEGER NOT NULL, PRIMARY KEY(chat_id, job_id, step_index)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS files("
    " position INTEGER PRIMARY KEY, file_id TEXT NOT NULL,"
    " chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE, name TEXT NOT NULL, key TEXT NOT NULL,"
    " file_type TEXT NOT NULL, bytes INTEGER NOT NULL, job_id TEXT NOT NULL, created_us INTEGER NOT NULL);"
    "CREATE INDEX IF NOT EXISTS files_chat ON files(chat_id, name);"
    "CREATE TABLE IF NOT EXISTS events("
    " chat_id TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE, seq INTEGER NOT NULL, type TEXT NOT NULL,"
    " job_id TEXT NOT NULL, event_id TEXT, body TEXT NOT NULL, created_us INTEGER NOT NULL,"
    " PRIMARY KEY(chat_id, seq)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS events_outside ON events(chat_id, event_id) WHERE event_id IS NOT NULL;"
    "CREATE TABLE IF NOT EXISTS answers("
    " request_id BLOB PRIMARY KEY, status INTEGER NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL,"
    " job_id TEXT NOT NULL, created_us INTEGER NOT NULL, keyed INTEGER NOT NULL DEFAULT 0,"
    " fingerprint INTEGER NOT NULL DEFAULT 0, chat_id TEXT NOT NULL DEFAULT '') WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS garbage(key TEXT PRIMARY KEY, created_us INTEGER NOT NULL) WITHOUT ROWID;";

/* What makes a file of version N one of version N + 1. */
static const char *const upgrades[SCHEMA_VERSION] = {
    [1] = "ALTER TABLE jobs ADD COLUMN retry_of TEXT NOT NULL DEFAULT '';"
          "ALTER TABLE jobs ADD COLUMN set_back INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE jobs ADD COLUMN spools_gone INTEGER NOT NULL DEFAULT 0;"
          "UPDATE jobs SET spools_gone = final;"
          "ALTER TABLE answers ADD COLUMN keyed INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE answers ADD COLUMN fingerprint INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE answers ADD COLUMN chat_id TEXT NOT NULL DEFAULT '';",
    [2] = "", /* the same tables; an older program would not know that the journal may hold more */
};

/* On columns that an upgrade may have added; and files from before a record's time are none of its business. */
static const char *const late =
    "CREATE INDEX IF NOT EXISTS answers_keyed ON answers(chat_id) WHERE keyed = 1;"
    "INSERT OR IGNORE INTO meta VALUES('born_us', CAST(strftime('%s','now') AS INTEGER) * 1000000);";

/* The value of a meta key, or 0 when it was never set. */
static enum err read_meta(struct db *db, const char *key, int64_t *value, struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    enum err err = db_prepare(db, "SELECT value FROM meta WHERE key = ?", &statement, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(statement, 1, key);
    err = db_row(db, statement, why);
    *value = err == ERR_OK ? db_int(statement, 0) : 0;
    sqlite3_finalize(statement);
    return err == ERR_END ? ERR_OK : err;
}

static enum err write_meta(struct db *db, const char *key, int64_t value, struct fault *why)
{
    sqlite3_stmt *statement = NULL;
    enum err err = db_prepare(db, "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
                              &statement, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(statement, 1, key);
    db_bind_int(statement, 2, value);
    err = db_execute(db, statement, NULL, why);
    sqlite3_finalize(statement);
    return err;
}

enum err schema_ensure(struct db *db, struct fault *why)
{
    int64_t version = 0;
    enum err err = db_run(db, "BEGIN IMMEDIATE", why);
    if (err != ERR_OK)
        return err;
    err = db_run(db, tables, why);
    if (err == ERR_OK)
        err = read_meta(db, "schema_version", &version, why);
    if (err == ERR_OK && version > SCHEMA_VERSION)
        err = fault_set(why, ERR_UNSUPPORTED, "the record has schema version %lld, this program knows %d",
                        (long long)version, SCHEMA_VERSION);
    for (int64_t from = version; err == ERR_OK && from > 0 && from < SCHEMA_VERSION; from++)
        err = db_run(db, upgrades[from], why);
    if (err == ERR_OK)
        err = db_run(db, late, why);
    if (err == ERR_OK && version < SCHEMA_VERSION)
        err = write_meta(db, "schema_version", SCHEMA_VERSION, why);
    if (err == ERR_OK)
        return db_run(db, "COMMIT", why);
    sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

#define COPY_KEY       "copy"
#define TERM_KEY       "term"
#define JOURNAL_ID_KEY "journal_id"
#define COPY_TERM_STEP 1000000 /* more starts of a broker than there were since the copy was made */

/* Without an id of its own it takes no journal for its own. */
enum err schema_mark_copy(struct db *db, struct fault *why)
{
    enum err err = write_meta(db, JOURNAL_ID_KEY, 0, why);
    return err == ERR_OK ? write_meta(db, COPY_KEY, 1, why) : err;
}

/* An event says its epoch itself. */
static const char *const adoption = "UPDATE conversations SET epoch = lower(hex(randomblob(16))) WHERE epoch <> '';"
                                    "UPDATE events SET body = json_set(body, '$.epoch',"
                                    " (SELECT epoch FROM conversations c WHERE c.chat_id = events.chat_id));"
                                    "UPDATE meta SET value = CAST(strftime('%s','now') AS INTEGER) * 1000000"
                                    " WHERE key = 'born_us';";

static enum err renew(struct db *db, struct fault *why)
{
    int64_t term = 0;
    enum err err = db_run(db, adoption, why);
    if (err == ERR_OK)
        err = read_meta(db, TERM_KEY, &term, why);
    if (err == ERR_OK)
        err = write_meta(db, TERM_KEY, term + COPY_TERM_STEP, why);
    return err == ERR_OK ? write_meta(db, COPY_KEY, 0, why) : err;
}

enum err schema_adopt_copy(struct db *db, struct fault *why)
{
    int64_t copy = 0;
    enum err err = read_meta(db, COPY_KEY, &copy, why);
    if (err != ERR_OK || copy == 0)
        return err;
    err = db_run(db, "BEGIN IMMEDIATE", why);
    if (err != ERR_OK)
        return err;
    err = renew(db, why);
    if (err == ERR_OK)
        return db_run(db, "COMMIT", why);
    sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

enum err schema_read_history(struct db *db, struct journal_history *newest, uint64_t *applied, struct fault *why)
{
    int64_t id = 0, term = 0, number = 0;
    enum err err = read_meta(db, JOURNAL_ID_KEY, &id, why);
    if (err == ERR_OK)
        err = read_meta(db, TERM_KEY, &term, why);
    if (err == ERR_OK)
        err = read_meta(db, JOURNAL_APPLIED_KEY, &number, why);
    *newest = (struct journal_history){(uint64_t)id, (uint64_t)term};
    *applied = (uint64_t)number;
    return err;
}

static enum err write_history(struct db *db, const struct journal_history *history, struct fault *why)
{
    enum err err = write_meta(db, JOURNAL_ID_KEY, (int64_t)history->id, why);
    if (err == ERR_OK)
        err = write_meta(db, TERM_KEY, (int64_t)history->term, why);
    return err == ERR_OK ? write_meta(db, JOURNAL_APPLIED_KEY, 0, why) : err;
}

enum err schema_begin_history(struct db *db, struct journal_history *history, struct fault *why)
{
    history->term++;
    if (history->id == 0)
        history->id = id_u64();
    enum err err = db_run(db, "PRAGMA synchronous=FULL; BEGIN IMMEDIATE", why);
    if (err != ERR_OK)
        return err;
    err = write_history(db, history, why);
    if (err == ERR_OK)
        err = db_run(db, "COMMIT", why);
    if (err != ERR_OK)
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return err;
}
