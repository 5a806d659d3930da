/* journal - accepted batches, one record each, in files that are only ever written forward: what makes a commit
 * durable.
 *
 * Two segments beside the record, PATH.journal0 and PATH.journal1, are filled in turn and used again when everything in
 * them is on disk elsewhere. They are filled with zeros once, so that a commit is one write into blocks that exist and
 * an fdatasync() that has no metadata to write; past the page cache where the file system lets us (O_DIRECT), as nobody
 * reads them again. A record (numbers little-endian):
 *
 *   offset  bytes  what
 *        0      4  "SWJ1"
 *        4      4  CRC-32 (zlib's) of everything from offset 8 to the end of the payload
 *        8      8  id of the SQLite file it belongs to
 *       16      8  the broker's term that wrote it
 *       24      8  its number: 1, 2, 3 ... within the term
 *       32      4  bytes of payload
 *       36      -  payload, then zeros up to the next block
 *
 * It begins at a multiple of JOURNAL_BLOCK, so no write ever touches a block in which an acknowledged record lies. What
 * an earlier round has left behind it carries an older term or number and is not mistaken for a record of this one. One
 * thread. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "wire/pack.h"

#define JOURNAL_BLOCK    4096
#define JOURNAL_HEAD     36
#define JOURNAL_SEGMENTS 2

struct journal;

/* What records must carry to be of this record and of its newest life. */
struct journal_history {
    uint64_t id, term;
};

/* Opens what is there; makes nothing yet. */
enum err journal_open(struct journal **out, const char *path, struct fault *why) MUST_CHECK;
void journal_close(struct journal **self_p);

/* Calls `each` (payload borrowed) for every record of that history whose number is above `after`, in order. A record
 * whose write was cut off is the end. ERR_INVALID: one is damaged though later ones are whole. ERR_CONFLICT: there are
 * records of another SQLite file, or of a later term. What `each` returns otherwise, with the record's place prefixed.
 */
enum err journal_replay(const struct journal *self, const struct journal_history *of, uint64_t after,
                        enum err (*each)(void *context, uint64_t number, struct bytes payload, struct fault *why),
                        void *context, struct fault *why) MUST_CHECK;

/* From here on records carry this history and begin with number 1; all that was there counts as gone. Makes the
 * segments as large as asked (a multiple of JOURNAL_BLOCK). ERR_NO_SPACE: there is no room for them. */
enum err journal_begin(struct journal *self, const struct journal_history *of, size_t segment_bytes,
                       struct fault *why) MUST_CHECK;

/* A record is built in a buffer: room for its head, its payload behind it, and then it is written and synced.
 * ERR_FULL: the segment is full and the next one holds records above `kept`; nothing has happened. ERR_TOO_LARGE: no
 * segment holds it. ERR_NO_SPACE: not written, and never will be. ERR_IO, for any other error of a write or a sync:
 * nobody knows whether it is on disk, nor what comes after it, so nothing is taken any more. */
enum err journal_record(struct buf *record) MUST_CHECK;
enum err journal_append(struct journal *self, const struct buf *record, uint64_t kept, uint64_t *number,
                        struct fault *why) MUST_CHECK;
/* The newest number in the segment that is not being written: what must be elsewhere before the next turn. */
uint64_t journal_left_behind(const struct journal *self);
/* Everything in it is on disk elsewhere: closes it and removes its files. */
void journal_remove(struct journal **self_p);

#endif
