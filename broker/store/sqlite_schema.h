/* sqlite_schema - the tables of the record. The first four are the Python original's by name and meaning (contract
 * section 5), widened; the rest are ours. Rows that are written together lie together: keys begin with the chat or grow
 * with time, and there is no index a query could do without, because every page a transaction touches is written to
 * disk. Times are microseconds since the Unix epoch, UTC; "" and 0 mean "none".
 *
 *   meta            key, value: schema version, the broker's term, the journal's id and how far it is applied, born_us:
 *                   since when this file is the record
 *   conversations   one row a chat (room = 1: a chat without a conversation), its epoch and newest seq
 *   messages        the conversation, in order of position
 *   workflow_steps  every step of every run
 *   files           uploads and outputs: name as clients know it, key as `common/files` knows it
 *   jobs            every run, its newest lease token
 *   events          the durable events, dense in seq from 1 for each chat
 *   answers         request id -> the answer given, so that a request sent again changes nothing; idempotency keys too
 *   garbage         keys of files no row names any more */
#ifndef SQLITE_SCHEMA_H
#define SQLITE_SCHEMA_H

#include "store/journal.h"
#include "store/sqlite_db.h"

#define SCHEMA_VERSION 3

/* Makes the tables in a new file, brings an older file up to date; refuses (ERR_UNSUPPORTED) a file of a newer version.
 */
enum err schema_ensure(struct db *db, struct fault *why) MUST_CHECK;
/* Says in a copy of the record that it is one. */
enum err schema_mark_copy(struct db *db, struct fault *why) MUST_CHECK;
/* A copy that is opened as a record: clients and workers may have seen more than it holds. Every chat gets a new epoch,
 * the term a long step forward, and it is a copy no longer. Nothing happens to any other record. */
enum err schema_adopt_copy(struct db *db, struct fault *why) MUST_CHECK;
/* What journal records of this file carry, and the number of the newest one that is in it. An id of 0: there are none.
 */
enum err schema_read_history(struct db *db, struct journal_history *newest, uint64_t *applied,
                             struct fault *why) MUST_CHECK;
/* Raises the broker's term by one, gives the file an id if it has none, and counts applied records from 0 again; on
 * disk, with everything before it. */
enum err schema_begin_history(struct db *db, struct journal_history *history, struct fault *why) MUST_CHECK;

#define JOURNAL_APPLIED_KEY "journal_applied"

#endif
