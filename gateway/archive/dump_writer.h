/* dump_writer - writes a conversation and its files as a dump, `{chat_id}_{YYYYMMDD_HHMMSS}.tar.gz`, into the folder of
 * dumps. It has no name until it is whole and on disk, and takes none that is there already. Blocks on disks: not for
 * the HTTP thread. */
#ifndef DUMP_WRITER_H
#define DUMP_WRITER_H

#include "files/files.h"
#include "id.h"

#include <stdatomic.h>

#define DUMP_NAME_MAX (ID_CHAT_MAX + 32)

struct dump_source {
    struct files *files;
    const char *folder; /* of dumps; made when missing */
    const char *chat;
    const char *export; /* CALL_EXPORT_CHAT's answer */
    size_t export_len;
    size_t record_bytes_max; /* a record that could not be restored is not dumped: ERR_TOO_LARGE */
    int64_t wall_us;
    const atomic_bool *stopping; /* set: give up with ERR_CANCELLED; NULL = never */
};

enum err dump_write(const struct dump_source *source, char name[DUMP_NAME_MAX], struct fault *why) MUST_CHECK;

/* Opens a dump by name. ERR_NOT_FOUND for any name dump_write() does not give. */
enum err dump_open(const char *folder, const char *name, int *fd, uint64_t *bytes, struct fault *why) MUST_CHECK;

/* An open file in that folder without a name, which ends with its descriptor, whatever happens. */
enum err dump_scratch(const char *folder, int *fd, struct fault *why) MUST_CHECK;

#endif
