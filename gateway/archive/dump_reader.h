/* dump_reader - reads an uploaded dump: a gzip-compressed tar of one conversation's folder. The bytes are anybody's, so
 * what is not expected is refused, and nothing is ever unpacked to a path of the archive's choosing:
 *
 *   {chat_id}/                                the only folder at the top; its name is the conversation's id
 *   {chat_id}/conversation_metadata.json      once
 *   {chat_id}/metadata.json                   of the Python original; not looked at
 *   {chat_id}/{uploads,outputs,intermediate}/NAME
 *
 * Only regular files and folders; no links, devices, sparse files, absolute or climbing paths, no member twice. One
 * thread; holds no more than the metadata and the members' names. */
#ifndef DUMP_READER_H
#define DUMP_READER_H

#include "buf.h"
#include "id.h"

#include <stdatomic.h>

enum dump_folder { DUMP_UPLOADS, DUMP_OUTPUTS, DUMP_INTERMEDIATE, DUMP_RESULTS };
const char *dump_folder_name(enum dump_folder folder); /* "uploads" ... */

/* Beyond each: ERR_TOO_LARGE with the setting's name. */
struct dump_limits {
    uint64_t unpacked_bytes_max; /* all the gzip unpacks to, tar headers included */
    uint64_t member_bytes_max;
    size_t record_bytes_max; /* the metadata */
    uint32_t members_max;
    const atomic_bool *stopping; /* set: give up with ERR_CANCELLED; NULL = never */
};

/* Gets the files as they come; an error ends the reading and is handed on. */
struct dump_sink {
    void *context;
    /* name: of the member, well-formed UTF-8 without slashes. chat: the conversation's id. */
    enum err (*begin)(void *context, const char *chat, enum dump_folder folder, const char *name, struct fault *why);
    enum err (*data)(void *context, const void *bytes, size_t len, struct fault *why);
    enum err (*end)(void *context, struct fault *why);
};

/* fd is read from where it stands to its end. metadata: cleared, then the member's bytes. ERR_INVALID: not such a dump,
 * with the reason for people. */
enum err dump_read(int fd, const struct dump_limits *limits, const struct dump_sink *sink, char chat[ID_CHAT_MAX + 1],
                   struct buf *metadata, struct fault *why) MUST_CHECK;

#endif
