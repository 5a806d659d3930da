/* sqlite_store - the writer's side of store.h on SQLite; sqlite_load.c reads back what the core needs. */
#ifndef SQLITE_STORE_H
#define SQLITE_STORE_H

#include "store/sqlite_db.h"
#include "store/store.h"

/* The statements of the writer, prepared once; the order is that of the table in sqlite_store.c. */
enum store_statement {
    WRITE_CHAT,
    WRITE_CHAT_LISTED,
    WRITE_CHAT_GARBAGE_FILES,
    WRITE_CHAT_GARBAGE_SPOOLS,
    WRITE_CHAT_ANSWERS,
    WRITE_CHAT_DELETE,
    WRITE_MESSAGE,
    WRITE_FILE,
    WRITE_JOB,
    WRITE_STEP,
    WRITE_EVENT,
    WRITE_HEAD,
    WRITE_ANSWER,
    WRITE_GARBAGE,
    WRITE_GARBAGE_DONE,
    LOAD_CHAT,
    LOAD_JOBS,
    LOAD_JOB,
    LOAD_STEPS,
    LOAD_EVENTS,
    LOAD_FILES,
    LOAD_BUSY,
    LOAD_ANSWER,
    LOAD_COUNTS,
    LOAD_EVENT_ID,
    LOAD_GARBAGE,
    TRIM_EVENTS,
    FORGET_ANSWERS,
    STORE_STATEMENTS,
};

struct store {
    struct db db;
    int lock_fd; /* flock on PATH.lock: one broker a record */
    bool torn; /* a write failed with ERR_IO: what is synced after it may lie behind a hole, so nothing more is taken */
    sqlite3_stmt *statement[STORE_STATEMENTS];
};

struct db *store_reader_db(struct store_reader *self);

const char *file_type_name(enum file_type type); /* "uploaded", "output", "intermediate", "result" */
/* Numbers of the names in change.h, for reading rows back; an unknown name is the first of the enum. */
enum chat_status chat_status_of(const char *name);
enum job_status job_status_of(const char *name);
enum step_status step_status_of(const char *name);
enum file_type file_type_of(const char *name);

/* Columns chat_id, seq, type, job_id, event_id, body, created_us of the current row. */
struct event_row event_row_of(sqlite3_stmt *statement);

#endif
