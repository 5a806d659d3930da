/* The door of store.h for the broker's loop: opens the record under a lock, replays the journal, and puts each batch
 * into the journal before the applier carries it into SQLite. */
#include "store/sqlite_store.h"

#include "store/change_codec.h"
#include "store/sqlite_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static const struct store_sizes usual_sizes = {.segment_bytes = (size_t)16 << 20, .reserve_bytes = (size_t)16 << 20};

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

/* ---- opening and closing ---- */

struct replay {
    struct writer *writer;
    uint64_t newest;
};

static enum err replay_batch(void *context, uint64_t number, struct bytes payload, struct fault *why)
{
    struct replay *replay = context;
    struct change_reader reader;
    struct change change;
    enum err err = change_reader_init(&reader, payload, why);
    while (err == ERR_OK && (err = change_reader_next(&reader, &change, why)) == ERR_OK)
        err = writer_apply(replay->writer, &change, why);
    replay->newest = number;
    return err == ERR_END ? ERR_OK : err;
}

/* What was accepted and is not in SQLite yet: all of it in one transaction, or nothing. */
static enum err replay_journal(struct store *self, const struct journal_history *of, uint64_t applied,
                               struct fault *why)
{
    struct replay replay = {.writer = &self->writer, .newest = applied};
    enum err err = writer_begin(&self->writer, true, why);
    if (err == ERR_OK)
        err = journal_replay(self->journal, of, applied, replay_batch, &replay, why);
    if (err == ERR_OK)
        err = writer_commit(&self->writer, replay.newest, why);
    if (err != ERR_OK)
        writer_undo(&self->writer);
    else if (replay.newest > applied)
        log_info("accepted batches taken from the journal", "batches", LOG_NUMBER((long long)(replay.newest - applied)),
                 NULL);
    return err;
}

/* From the raised term on nothing that lies in the journal counts any more. */
static enum err begin_history(struct store *self, const struct store_sizes *sizes, uint64_t *term, struct fault *why)
{
    struct journal_history history;
    uint64_t applied;
    enum err err = schema_read_history(&self->writer.db, &history, &applied, why);
    if (err == ERR_OK)
        err = replay_journal(self, &history, applied, why);
    if (err == ERR_OK)
        err = schema_begin_history(&self->writer.db, &history, why);
    *term = history.term;
    return err == ERR_OK ? journal_begin(self->journal, &history, sizes->segment_bytes, why) : err;
}

static enum err open_parts(struct store *self, const struct store_sizes *sizes, uint64_t *term, struct fault *why)
{
    enum err err = writer_open(&self->writer, self->path, why);
    if (err == ERR_OK)
        err = journal_open(&self->journal, self->path, why);
    if (err == ERR_OK)
        err = begin_history(self, sizes, term, why);
    if (err == ERR_OK)
        err = loader_open(&self->loader, self->path, why);
    if (err == ERR_OK && unapplied_new(&self->unapplied) != ERR_OK)
        err = fault_set(why, ERR_MEMORY, "%s: out of memory", self->path);
    if (err == ERR_OK)
        err = reserve_open(&self->reserve, self->path, sizes->reserve_bytes, why);
    return err == ERR_OK ? applier_start(&self->applier, &self->writer, self->reserve, why) : err;
}

enum err store_open_sized(struct store **out, const char *path, const struct store_sizes *sizes, uint64_t *term,
                          struct fault *why)
{
    struct store *self = calloc(1, sizeof *self);
    *out = NULL;
    if (!self)
        return fault_set(why, ERR_MEMORY, "%s: out of memory", path);
    self->lock_fd = -1;
    self->batch_bytes_max = sizes->segment_bytes;
    int len = snprintf(self->path, sizeof self->path, "%s", path);
    enum err err = len < 0 || (size_t)len >= sizeof self->path
                       ? fault_set(why, ERR_TOO_LARGE, "%s: path too long", path)
                       : take_lock(self, path, why);
    if (err == ERR_OK)
        err = open_parts(self, sizes, term, why);
    if (err != ERR_OK)
        store_close(&self);
    *out = self;
    return err;
}

enum err store_open(struct store **out, const char *path, uint64_t *term, struct fault *why)
{
    return store_open_sized(out, path, &usual_sizes, term, why);
}

/* The journal and the reserve are of use only as long as something is not in SQLite. */
static void close_journal(struct store *self)
{
    struct fault why = {.text = ""};
    bool started = self->applier != NULL;
    if (applier_stop(&self->applier, &why) != ERR_OK)
        log_warning("accepted batches are left in the journal for the next start", "error", why.text, NULL);
    else if (started && !self->torn) {
        journal_remove(&self->journal);
        reserve_remove(&self->reserve);
    }
    journal_close(&self->journal);
    reserve_close(&self->reserve);
}

void store_close(struct store **self_p)
{
    struct store *self = *self_p;
    if (!self)
        return;
    close_journal(self);
    loader_close(&self->loader);
    writer_close(&self->writer);
    unapplied_destroy(&self->unapplied);
    if (self->lock_fd >= 0)
        close(self->lock_fd);
    free(self);
    *self_p = NULL;
}

/* ---- committing ---- */

static enum err told(struct store *self, enum err err)
{
    self->torn = self->torn || err == ERR_IO;
    return err;
}

static enum err refuse_torn(struct fault *why)
{
    return fault_set(why, ERR_IO, "record: an earlier write failed half way");
}

/* When a segment is full, the other one must be free: then the wish goes out that this one be so in time. */
static enum err append(struct store *self, struct applier_batch *batch, struct fault *why)
{
    uint64_t left = journal_left_behind(self->journal);
    enum err err = journal_append(self->journal, &batch->record, applier_kept(self->applier), &batch->number, why);
    if (err == ERR_FULL) {
        err = applier_wait_kept(self->applier, left, why);
        if (err == ERR_OK)
            err = journal_append(self->journal, &batch->record, left, &batch->number, why);
    }
    if (err == ERR_OK && journal_left_behind(self->journal) != left)
        applier_want_kept(self->applier, journal_left_behind(self->journal));
    return err;
}

static enum err encode(const struct changes *batch, struct applier_batch *into)
{
    enum err err = journal_record(&into->record);
    if (err == ERR_OK)
        err = changes_encode(batch, &into->record);
    into->payload = into->record.len - JOURNAL_HEAD;
    return err;
}

static enum err keep_order(struct writer *writer, void *context, struct fault *why)
{
    return writer_keep(writer, context, why);
}

/* A batch that no segment holds goes straight into SQLite, behind all others. */
static enum err commit_around(struct store *self, const struct changes *batch, struct fault *why)
{
    struct changes *list;
    memcpy(&list, &batch, sizeof list); /* an order's context is not const; this one only reads it */
    enum err err = applier_wait_all(self->applier, why);
    return err == ERR_OK ? applier_run(self->applier, keep_order, list, why) : err;
}

static enum err commit_by_journal(struct store *self, struct applier_batch **into, const struct changes *batch,
                                  struct fault *why)
{
    enum err err = append(self, *into, why);
    if (err != ERR_OK)
        return err;
    unapplied_drop(self->unapplied, applier_applied(self->applier));
    unapplied_note(self->unapplied, batch, (*into)->number);
    applier_take(self->applier, into);
    return ERR_OK;
}

enum err store_commit(struct store *self, const struct changes *batch, struct fault *why)
{
    struct applier_batch *into = NULL;
    enum err err = self->torn ? refuse_torn(why) : applier_ready(self->applier, why);
    if (err != ERR_OK)
        return told(self, err);
    err = applier_batch_new(&into, self->batch_bytes_max);
    if (err == ERR_OK)
        err = encode(batch, into);
    if (err == ERR_MEMORY)
        err = fault_set(why, err, "record: out of memory");
    else
        err = err == ERR_OK ? commit_by_journal(self, &into, batch, why) : ERR_TOO_LARGE;
    if (err == ERR_TOO_LARGE || err == ERR_FULL)
        err = commit_around(self, batch, why);
    applier_batch_destroy(&into);
    return told(self, err);
}

/* ---- what the loop writes beside batches ---- */

static enum err forget_order(struct writer *writer, void *context, struct fault *why)
{
    return writer_forget_garbage(writer, context, why);
}

enum err store_garbage_done(struct store *self, const char *key, struct fault *why)
{
    char *copy = strdup(key);
    if (!copy)
        return fault_set(why, ERR_MEMORY, "record: out of memory");
    enum err err = self->torn ? refuse_torn(why) : applier_run(self->applier, forget_order, copy, why);
    free(copy);
    return told(self, err);
}

static enum err answers_order(struct writer *writer, void *context, struct fault *why)
{
    return writer_forget_answers(writer, context, why);
}

enum err store_forget_answers(struct store *self, const struct store_answer_range *range, struct fault *why)
{
    struct store_answer_range copy = *range;
    return told(self, self->torn ? refuse_torn(why) : applier_run(self->applier, answers_order, &copy, why));
}

struct trim {
    const struct store_old_events *old;
    uint32_t *rows;
};

static enum err trim_order(struct writer *writer, void *context, struct fault *why)
{
    const struct trim *trim = context;
    return writer_trim(writer, trim->old, trim->rows, why);
}

enum err store_trim_events(struct store *self, const struct store_old_events *old, uint32_t *rows, struct fault *why)
{
    struct trim trim = {old, rows};
    *rows = 0;
    enum err err =
        self->torn ? refuse_torn(why) : applier_wait(self->applier, unapplied_chat(self->unapplied, old->chat_id), why);
    if (err == ERR_OK)
        err = applier_run(self->applier, trim_order, &trim, why);
    return told(self, err);
}
