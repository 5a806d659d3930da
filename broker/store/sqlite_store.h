/* sqlite_store - the loop's side of store.h on SQLite. A batch is durable in the journal; the applier's thread carries
 * it into SQLite on the writing connection; sqlite_load.c reads back what the core needs on a connection of its own,
 * and waits for the applier only when `unapplied` says that the read concerns a batch on its way. */
#ifndef SQLITE_STORE_H
#define SQLITE_STORE_H

#include "store/applier.h"
#include "store/journal.h"
#include "store/store.h"
#include "store/unapplied.h"

#include <limits.h>

/* The statements of the loop's reads, prepared once; the order is that of the table in sqlite_load.c. */
enum load_statement {
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
    LOAD_STATEMENTS,
};

struct loader {
    struct db db;
    sqlite3_stmt *statement[LOAD_STATEMENTS];
};

enum err loader_open(struct loader *self, const char *path, struct fault *why) MUST_CHECK;
void loader_close(struct loader *self);

struct store {
    char path[PATH_MAX];
    int lock_fd; /* flock on PATH.lock: one broker a record */
    bool torn; /* a write failed with ERR_IO: what is synced after it may lie behind a hole, so nothing more is taken */
    size_t batch_bytes_max;      /* larger ones go around the journal */
    struct writer writer;        /* the applier's, once it has been started */
    struct loader loader;        /* the loop's */
    struct journal *journal;     /* the loop's */
    struct unapplied *unapplied; /* the loop's */
    struct reserve *reserve;     /* the applier's */
    struct applier *applier;
};

/* Of the files beside the record. */
struct store_sizes {
    size_t
        segment_bytes; /* of each half of the journal, a multiple of JOURNAL_BLOCK: also how far SQLite may be behind */
    size_t reserve_bytes;
};
/* store_open() with other sizes than usual. */
enum err store_open_sized(struct store **out, const char *path, const struct store_sizes *sizes, uint64_t *term,
                          struct fault *why) MUST_CHECK;

/* The connection of a reader, once it sees everything that was committed before the call. */
enum err store_reader_db(struct store_reader *self, struct db **db, struct fault *why) MUST_CHECK;

/* Columns chat_id, seq, type, job_id, event_id, body, created_us of the current row. */
struct event_row event_row_of(sqlite3_stmt *statement);

#endif
