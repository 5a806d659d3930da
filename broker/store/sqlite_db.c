#include "store/sqlite_db.h"

#include <errno.h>
#include <pthread.h>

#define BUSY_WAIT_MS 5000 /* a reader never blocks a WAL writer for long; only a foreign tool could */

static const char *const pragmas_common = "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;";
static const char *const pragmas_writer =
    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=8000;"
    "PRAGMA journal_size_limit=67108864;";

/* Nobody asks how much memory SQLite has; to count it costs a lock for every allocation. Refused once SQLite is in use:
 * then it counts, which is no harm. */
static void count_no_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

enum err db_open(struct db *self, const char *path, bool read_only, struct fault *why)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, count_no_memory);
    int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    self->handle = NULL;
    if (sqlite3_open_v2(path, &self->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        enum err err = db_fault(self, path, why);
        db_close(self);
        return err;
    }
    sqlite3_extended_result_codes(self->handle, 1);
    sqlite3_busy_timeout(self->handle, BUSY_WAIT_MS);
    enum err err = db_run(self, pragmas_common, why);
    if (err == ERR_OK && !read_only)
        err = db_run(self, pragmas_writer, why);
    if (err != ERR_OK) {
        fault_prefix(why, "%s: ", path);
        db_close(self);
    }
    return err;
}

void db_close(struct db *self)
{
    sqlite3_close_v2(self->handle);
    self->handle = NULL;
}

static enum err code_of(sqlite3 *handle)
{
    int extended = handle ? sqlite3_extended_errcode(handle) : SQLITE_NOMEM;
    switch (extended) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC: return ERR_IO;
    case SQLITE_IOERR_NOMEM: return ERR_MEMORY;
    }
    switch (extended & 0xFF) {
    case SQLITE_FULL: return ERR_NO_SPACE;
    case SQLITE_NOMEM: return ERR_MEMORY;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISUSE: return ERR_INTERNAL;
    case SQLITE_IOERR:
        return sqlite3_system_errno(handle) == ENOSPC || sqlite3_system_errno(handle) == EDQUOT ? ERR_NO_SPACE
                                                                                                : ERR_UNAVAILABLE;
    }
    return ERR_UNAVAILABLE;
}

enum err db_fault(struct db *self, const char *what, struct fault *why)
{
    return fault_set(why, code_of(self->handle), "%s: %s", what,
                     self->handle ? sqlite3_errmsg(self->handle) : "out of memory");
}

enum err db_run(struct db *self, const char *sql, struct fault *why)
{
    return sqlite3_exec(self->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : db_fault(self, "record", why);
}

/* Failures that come before the last page of a commit is in the log; without that page there is no commit. */
static bool certainly_not_committed(int extended)
{
    switch (extended & 0xFF) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_CONSTRAINT: return true;
    }
    return extended == SQLITE_IOERR_WRITE;
}

enum err db_commit(struct db *self, struct fault *why)
{
    if (sqlite3_exec(self->handle, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
        return ERR_OK;
    bool certain = certainly_not_committed(sqlite3_extended_errcode(self->handle));
    enum err err = db_fault(self, "record", why);
    return certain ? err : fault_set(why, ERR_IO, "record: a commit failed half way: %s", sqlite3_errmsg(self->handle));
}

enum err db_prepare(struct db *self, const char *sql, sqlite3_stmt **out, struct fault *why)
{
    if (sqlite3_prepare_v3(self->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK)
        return ERR_OK;
    return db_fault(self, "record", why);
}

enum err db_execute(struct db *self, sqlite3_stmt *statement, int *rows, struct fault *why)
{
    int code = sqlite3_step(statement);
    enum err err = code == SQLITE_DONE ? ERR_OK : db_fault(self, "record", why);
    if (rows)
        *rows = sqlite3_changes(self->handle);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement); /* borrowed texts must not be looked at again */
    return err;
}

enum err db_row(struct db *self, sqlite3_stmt *statement, struct fault *why)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return ERR_OK;
    enum err err = code == SQLITE_DONE ? ERR_END : db_fault(self, "record", why);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return err;
}

void db_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    sqlite3_bind_text(statement, at, text ? text : "", -1, SQLITE_STATIC);
}

void db_bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t len)
{
    sqlite3_bind_text64(statement, at, bytes ? bytes : "", len, SQLITE_STATIC, SQLITE_UTF8);
}

void db_bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t len)
{
    sqlite3_bind_blob64(statement, at, bytes, len, SQLITE_STATIC);
}

void db_bind_int(sqlite3_stmt *statement, int at, int64_t value)
{
    sqlite3_bind_int64(statement, at, value);
}

const char *db_text(sqlite3_stmt *statement, int column)
{
    const void *text = sqlite3_column_text(statement, column);
    return text ? text : "";
}

int64_t db_int(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}
