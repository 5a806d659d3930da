/* store - where the record lives. Engines: SQLite (sqlite_store.c); PostgreSQL later. One test suite for all engines.
 *
 * A `struct store` is the writer: one thread, under an exclusive lock of the record, which raises the broker's term on
 * disk when it opens. store_commit() keeps a batch whole or not at all and returns when it is durable (fsync done);
 * from then on every read sees it. After any error the memory built on the batch must be thrown away and loaded again;
 * ERR_IO ends the process: a sync or a write of the journal failed and nobody knows what is on disk, or the record does
 * not take what was accepted (a change against its rules, our bug). A `struct store_reader` is a read-only connection
 * for one other thread (lists, replay). */
#ifndef STORE_H
#define STORE_H

#include "buf.h"
#include "core/change.h"

#include <stdatomic.h>

struct store;
struct store_reader;

/* Opens or creates the record; *term = the new, raised term (on disk already). ERR_CONFLICT: another broker holds it.
 */
enum err store_open(struct store **out, const char *path, uint64_t *term, struct fault *why) MUST_CHECK;
void store_close(struct store **self_p);
enum err store_commit(struct store *self, const struct changes *batch, struct fault *why) MUST_CHECK;

/* What the core needs of one chat before it can decide: called in the writer's thread, sees every commit before it.
 * ERR_NOT_FOUND: no such chat. Callbacks get borrowed rows in order: chat, jobs that are not final and the newest that
 * is (submitted order), their steps (index order), the newest `events` durable events (ascending), names of all files.
 */
struct store_load {
    void *context;
    enum err (*chat)(void *context, const struct chat_row *row);
    enum err (*job)(void *context, const struct job_row *row);
    enum err (*step)(void *context, const struct step_row *row);
    enum err (*event)(void *context, const struct event_row *row);
    enum err (*file)(void *context, const struct file_row *row);
};
enum err store_load_chat(struct store *self, const char *chat_id, uint32_t events, const struct store_load *to,
                         struct fault *why) MUST_CHECK;
/* One job of a chat and its steps, whatever its state. ERR_NOT_FOUND: no such job. */
enum err store_load_job(struct store *self, const char *chat_id, const char *job_id, const struct store_load *to,
                        struct fault *why) MUST_CHECK;
/* Ids of chats with a job that is not final, in the order of their oldest job: loaded at start. */
enum err store_busy_chats(struct store *self, enum err (*each)(void *context, const char *chat_id), void *context,
                          struct fault *why) MUST_CHECK;
/* The answer kept for a request id. ERR_NOT_FOUND: the request was never accepted. Texts go into *space. */
enum err store_find_answer(struct store *self, const unsigned char id[REQUEST_ID_LEN], struct answer_row *out,
                           struct buf *space, struct fault *why) MUST_CHECK;
enum err store_counts(struct store *self, uint64_t *rooms, uint64_t *open_jobs, struct fault *why) MUST_CHECK;
/* ERR_NOT_FOUND or the seq an outside event got under this event_id. */
enum err store_find_event_id(struct store *self, const char *chat_id, const char *event_id, uint64_t *seq,
                             struct fault *why) MUST_CHECK;
/* Up to `max` to-delete keys, and forgetting one after the file is gone. */
enum err store_garbage(struct store *self, uint32_t max, enum err (*each)(void *context, const char *key),
                       void *context, struct fault *why) MUST_CHECK;
enum err store_garbage_done(struct store *self, const char *key, struct fault *why) MUST_CHECK;

/* --- reading, off the commit path. JSON answers have the shapes in wire/request_frame.h. --- */
/* Of the record that `of` has open, until before `of` is closed. Any thread may open one. Reads begin when everything
 * is to be seen that was committed before the call; ERR_NO_SPACE, ERR_UNAVAILABLE, ERR_MEMORY: that cannot be now. */
enum err store_reader_open(struct store_reader **out, const struct store *of, struct fault *why) MUST_CHECK;
void store_reader_close(struct store_reader **self_p);

struct store_paths {
    const char *workflows_path; /* paths shown to clients: {workflows_path}/{partition}/{chat}/uploads/{name} */
};
enum err store_read_chats(struct store_reader *self, const char *status, int64_t limit, int64_t offset,
                          struct buf *json, struct fault *why) MUST_CHECK;
enum err store_read_chat(struct store_reader *self, const char *chat_id, const struct store_paths *paths,
                         struct buf *json, struct fault *why) MUST_CHECK;
enum err store_read_file(struct store_reader *self, const char *chat_id, const char *name, struct buf *json,
                         struct fault *why) MUST_CHECK;
/* Jobs of a chat without their steps, newest first: {"jobs":[...],"count":n}. */
enum err store_read_jobs(struct store_reader *self, const char *chat_id, int64_t limit, int64_t offset,
                         struct buf *json, struct fault *why) MUST_CHECK;

/* How far a running step has come, which no row says. */
struct store_progress {
    uint32_t step, percent;
};
/* now: NULL = not known. */
enum err store_read_job(struct store_reader *self, const char *chat_id, const char *job_id,
                        const struct store_paths *paths, const struct store_progress *now, struct buf *json,
                        struct fault *why) MUST_CHECK;
/* Events with seq > since, ascending, at most `limit` and about `bytes_max` bytes; each row borrowed. */
enum err store_read_events(struct store_reader *self, const char *chat_id, uint64_t since, uint32_t limit,
                           size_t bytes_max, enum err (*each)(void *context, const struct event_row *row),
                           void *context, struct fault *why) MUST_CHECK;
/* Number of the oldest event that is kept; 0 = none. */
enum err store_read_oldest(struct store_reader *self, const char *chat_id, uint64_t *oldest,
                           struct fault *why) MUST_CHECK;

/* Everything of one chat as of one moment: {"conversation":CONV,"record":{"version":1,"created_us","updated_us",
 * "files":[{"name","type","key","bytes","job_id","created_us"}],
 * "jobs":[{"job_id","status","attempts","input_name","input":index of a file or null,"retry_of","error","submitted_us",
 *          "started_us","completed_us","steps":[{"step_id","operation","arguments":text,"input_file","output_file",
 *          "result":text,"status","progress","error_message","started_us","completed_us"}]}],
 * "events":[{"type","job_id","event_id","created_us","body":text}],"events_left_out":n}}.
 * Texts that are JSON themselves stay texts, so that nothing is re-encoded. Of the events the newest are taken, at most
 * half of json's limit. ERR_TOO_LARGE: the rest is larger than that limit. */
enum err store_read_export(struct store_reader *self, const char *chat_id, const struct store_paths *paths,
                           struct buf *json, struct fault *why) MUST_CHECK;

/* --- retention: found by a reader, off the commit path, and carried out by the writer in small pieces --- */

struct store_retention {
    int64_t older_than_us; /* events from before that may go; 0 = none for their age */
    uint64_t events_max;   /* newest events kept of a chat; 0 = all */
};
/* What may go of one history of a chat: its events up to that number, 0 = none. */
struct store_old_events {
    const char *chat_id, *epoch;
    uint64_t upto;
};
/* Looks at up to `chats` chats with ids after `after` ("" = from the first), ascending, and calls `each` for every one
 * it has looked at, with the newest event of its oldest STORE_TRIM_MAX that may go. */
enum err store_read_old_events(struct store_reader *self, const char *after, const struct store_retention *keep,
                               uint32_t chats, enum err (*each)(void *context, const struct store_old_events *old),
                               void *context, struct fault *why) MUST_CHECK;
#define STORE_TRIM_MAX 500
/* Forgets these events, unless the chat has an unfinished job or another history by now: readers who still want them
 * are told of a gap. *rows = how many went. */
enum err store_trim_events(struct store *self, const struct store_old_events *old, uint32_t *rows,
                           struct fault *why) MUST_CHECK;

/* Rooms in the order they were made, one piece after another: `created_us` and `chat_id` of the last one of the piece
 * before (0, "" = from the first); moved on to the last one of this piece. Looks at up to `max` and calls `each` for
 * those nothing was written to since older_than_us; head = their newest event. *looked = how many it has looked at. */
struct store_room_cursor {
    int64_t created_us;
    char chat_id[ID_CHAT_MAX + 1];
};
enum err store_read_old_rooms(struct store_reader *self, struct store_room_cursor *cursor, int64_t older_than_us,
                              uint32_t max, uint32_t *looked,
                              enum err (*each)(void *context, const char *chat_id, uint64_t head), void *context,
                              struct fault *why) MUST_CHECK;

/* The answers to request ids, one piece after another: those with after < id <= upto. Answers under an idempotency key
 * are no part of it: they are kept as long as their job. */
struct store_answer_range {
    unsigned char after[REQUEST_ID_LEN], upto[REQUEST_ID_LEN];
    int64_t older_than_us;
};
/* range: `after` and `older_than_us` given, `upto` set to the last of the up to `max` ids looked at. *looked = how many
 * that were, *old = how many of them may go. */
enum err store_read_old_answers(struct store_reader *self, struct store_answer_range *range, uint32_t max,
                                uint32_t *looked, uint32_t *old, struct fault *why) MUST_CHECK;
/* Forgets those of a range. */
enum err store_forget_answers(struct store *self, const struct store_answer_range *range, struct fault *why) MUST_CHECK;

/* Every key a chat's rows name, some more than once. *busy: it has an unfinished job, whose worker may hold files that
 * no row names yet; none is told then. A chat that does not exist names nothing. */
enum err store_read_keys(struct store_reader *self, const char *chat_id, bool *busy,
                         enum err (*each)(void *context, const char *key), void *context, struct fault *why) MUST_CHECK;
/* When this record began to be the one in use: when it was made, or adopted as the copy of another. */
enum err store_read_born(struct store_reader *self, int64_t *born_us, struct fault *why) MUST_CHECK;

/* --- snapshots --- */

/* A copy of the record as of one moment, with everything committed before the call, on disk, in the new file `target`.
 * Any thread; opens a connection of its own and never holds up the writer. *end set meanwhile: it gives up. A broker
 * that opens a copy as its record gives every chat a new epoch and starts far beyond the terms of the original. */
enum err store_copy(const struct store *self, const char *target, const atomic_bool *end, struct fault *why) MUST_CHECK;

#endif
