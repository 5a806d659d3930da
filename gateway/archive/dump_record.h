/* dump_record - the JSON of dumps: what conversation_metadata.json holds, and what the broker is given of it again.
 *
 * A dump's metadata is the conversation as clients see it and, under "record", what it takes to come back whole
 * (broker: store_read_export()), in which each file has `member`, its path in the archive, instead of a key. A dump of
 * the Python original has no "record": then the files are those of the archive. Pure; any thread. */
#ifndef DUMP_RECORD_H
#define DUMP_RECORD_H

#include "archive/dump_reader.h"
#include "files/files.h"

#include <jansson.h>

#define DUMP_MEMBER_MAX 320 /* "uploads/NAME" with the final NUL */

/* What a record of hostile JSON may cost the gateway that reads it, and the broker after it, for each byte the record
 * may have (chat_workflows.dump.record_mb_max). Records of ours need more bytes for every row; the weight they may have
 * as well, and one that is heavier is not dumped. */
#define DUMP_WEIGHT_PER_BYTE 6   /* of memory as a tree (json_weight.h) */
#define DUMP_BYTES_PER_EVENT 192 /* an event of ours has its epoch, chat and time */
#define DUMP_BYTES_PER_ROW   96  /* messages, runs, and steps of all runs */

/* ERR_TOO_LARGE: the text, which may be any, is too heavy. */
enum err dump_record_weigh(const char *text, size_t len, size_t record_bytes_max, struct fault *why) MUST_CHECK;

/* Gives every file of the export a `member`. The newest of a name has the plain one, `uploads/a.csv`; older ones, which
 * only their jobs need, are numbered as backup files are: `uploads/a.csv.~1~`. No file's own name has a `~`. */
enum err dump_record_name_members(json_t *record) MUST_CHECK;
/* The metadata's text: {conversation, "record"} without keys. Takes nothing. */
enum err dump_record_write(const json_t *export, struct buf *out) MUST_CHECK;

/* One file of an archive that has been stored. */
struct dump_file {
    char member[DUMP_MEMBER_MAX];
    enum dump_folder folder;
    char key[FILES_KEY_MAX];
    uint64_t bytes;
};

/* CALL_IMPORT_CHAT's body from a dump's metadata and its stored files; out's limit is what a record may have, and what
 * the bounds above follow from (ERR_TOO_LARGE). ERR_INVALID with the reason for people when they
 * do not belong together; what the record says inside is the broker's to check. */
enum err dump_record_import(const struct buf *metadata, const char *chat, const struct dump_file *files, size_t count,
                            struct buf *out, struct fault *why) MUST_CHECK;

/* Microseconds of "2026-11-22T17:39:22.721654", with or without fraction and zone `Z` or `+00:00`; 0 = no such time. */
int64_t dump_record_time(const char *text);

#endif
