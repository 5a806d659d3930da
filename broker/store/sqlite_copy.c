/* A copy of the record: VACUUM INTO reads one moment of it under a read transaction of its own connection and, unlike a
 * stepped online backup, never starts over when the writer commits. */
#include "store/sqlite_schema.h"
#include "store/sqlite_store.h"

#include <string.h>

#define LOOK_EVERY 10000 /* steps of SQLite's machine; some hundred microseconds */

static int wants_end(void *end)
{
    return atomic_load((const atomic_bool *)end);
}

static enum err vacuum_into(struct db *db, const char *target, struct fault *why)
{
    sqlite3_stmt *s = NULL;
    enum err err = db_prepare(db, "VACUUM INTO ?", &s, why);
    if (err != ERR_OK)
        return err;
    db_bind_text(s, 1, target);
    err = db_execute(db, s, NULL, why);
    sqlite3_finalize(s);
    return err;
}

static enum err mark(const char *target, struct fault *why)
{
    struct db copy;
    enum err err = db_open(&copy, target, false, why);
    if (err != ERR_OK)
        return err;
    err = schema_mark_copy(&copy, why);
    /* One plain file, without a log beside it, is what a copy is expected to be. */
    if (err == ERR_OK)
        err = db_run(&copy, "PRAGMA journal_mode=DELETE", why);
    db_close(&copy);
    return err;
}

enum err store_copy(const struct store *self, const char *target, const atomic_bool *end, struct fault *why)
{
    struct db db;
    enum err err = applier_wait_all(self->applier, why);
    if (err == ERR_OK && atomic_load(end))
        err = fault_set(why, ERR_CANCELLED, "%s: not wanted any more", target);
    if (err == ERR_OK)
        err = db_open(&db, self->path, true, why);
    if (err != ERR_OK)
        return err;
    atomic_bool *flag;
    memcpy(&flag, &end, sizeof flag); /* SQLite's callbacks know no const */
    sqlite3_progress_handler(db.handle, LOOK_EVERY, wants_end, flag);
    err = vacuum_into(&db, target, why);
    db_close(&db);
    return err == ERR_OK ? mark(target, why) : err;
}
