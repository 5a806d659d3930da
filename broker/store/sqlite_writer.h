/* sqlite_writer - the one connection that writes the record: changes become rows, in transactions that also say up to
 * which batch of the journal the rows go. One thread at a time: the one that opens the record, then the applier's. */
#ifndef SQLITE_WRITER_H
#define SQLITE_WRITER_H

#include "core/change.h"
#include "store/final_rows.h"
#include "store/sqlite_db.h"
#include "store/store.h"

enum writer_statement {
    WRITE_CHAT_AGAIN,
    WRITE_CHAT,
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
    WRITE_APPLIED,
    WRITE_TRIM,
    WRITE_FORGET_ANSWERS,
    WRITER_STATEMENTS,
};

struct writer {
    struct db db;
    sqlite3_stmt *statement[WRITER_STATEMENTS];
};

/* Opens or creates the record and brings its tables up to date. */
enum err writer_open(struct writer *self, const char *path, struct fault *why) MUST_CHECK;
void writer_close(struct writer *self);

/* A transaction of batches that are in the journal. Only a synced one is on disk, with all before it, when it returns;
 * a crash before that loses whole transactions from the end. After an error: writer_undo(). */
enum err writer_begin(struct writer *self, bool synced, struct fault *why) MUST_CHECK;
enum err writer_apply(struct writer *self, const struct change *change, struct fault *why) MUST_CHECK;
/* What comes to the same as applying every change they were made of. */
enum err writer_apply_rows(struct writer *self, const struct final_rows *rows, struct fault *why) MUST_CHECK;
enum err writer_commit(struct writer *self, uint64_t applied, struct fault *why) MUST_CHECK;
void writer_undo(struct writer *self);

/* A synced transaction of its own for a batch that is in no journal. ERR_IO also when it may be there all the same. */
enum err writer_keep(struct writer *self, const struct changes *batch, struct fault *why) MUST_CHECK;

/* What may be lost in a crash and is then done again. */
enum err writer_forget_garbage(struct writer *self, const char *key, struct fault *why) MUST_CHECK;
enum err writer_trim(struct writer *self, const struct store_old_events *old, uint32_t *rows,
                     struct fault *why) MUST_CHECK;
enum err writer_forget_answers(struct writer *self, const struct store_answer_range *range,
                               struct fault *why) MUST_CHECK;

#endif
