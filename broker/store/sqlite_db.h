/* sqlite_db - one SQLite connection and its prepared statements: the only file that knows SQLite's error codes.
 * A connection belongs to one thread. */
#ifndef SQLITE_DB_H
#define SQLITE_DB_H

#include "err.h"

#include <sqlite3.h>
#include <stdint.h>

struct db {
    sqlite3 *handle;
};

/* Opens (creates, unless read_only) with our pragmas: WAL, synchronous=FULL (every commit is synced), foreign keys. */
enum err db_open(struct db *self, const char *path, bool read_only, struct fault *why) MUST_CHECK;
void db_close(struct db *self);

/* The last error as ours: SQLITE_FULL and ENOSPC -> ERR_NO_SPACE, a failed sync -> ERR_IO, no memory -> ERR_MEMORY,
 * a broken constraint -> ERR_INTERNAL (our bug), anything else -> ERR_UNAVAILABLE. */
enum err db_fault(struct db *self, const char *what, struct fault *why);

enum err db_run(struct db *self, const char *sql, struct fault *why) MUST_CHECK;
/* COMMIT. ERR_IO also when the transaction may be on disk all the same: SQLite can fail after it has written and synced
 * its log (when the index of the log cannot grow, for want of disk or memory), and a restart would find the commit. */
enum err db_commit(struct db *self, struct fault *why) MUST_CHECK;
enum err db_prepare(struct db *self, const char *sql, sqlite3_stmt **out, struct fault *why) MUST_CHECK;

/* Steps a statement that gives no rows and resets it. *rows (may be NULL) = rows it changed. */
enum err db_execute(struct db *self, sqlite3_stmt *statement, int *rows, struct fault *why) MUST_CHECK;
/* ERR_OK: a row is there; ERR_END: no more, and the statement is reset. */
enum err db_row(struct db *self, sqlite3_stmt *statement, struct fault *why) MUST_CHECK;

/* Positional parameters from 1; texts are borrowed until the statement is reset; NULL binds "". */
void db_bind_text(sqlite3_stmt *statement, int at, const char *text);
void db_bind_bytes(sqlite3_stmt *statement, int at, const void *bytes, size_t len); /* as text */
void db_bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t len);
void db_bind_int(sqlite3_stmt *statement, int at, int64_t value);

const char *db_text(sqlite3_stmt *statement, int column); /* "" for NULL; valid until the next step */
int64_t db_int(sqlite3_stmt *statement, int column);

#endif
