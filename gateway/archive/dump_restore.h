/* dump_restore - an uploaded dump becomes stored files and the record the broker is asked to take. Until the broker has
 * taken it nobody knows of the files, so giving up leaves nothing. Blocks on disks: not for the HTTP thread. */
#ifndef DUMP_RESTORE_H
#define DUMP_RESTORE_H

#include "archive/dump_record.h"

struct dump_restored {
    struct files *files;
    char chat[ID_CHAT_MAX + 1];
    struct dump_file *list; /* committed */
    size_t count, room;
    struct buf import; /* CALL_IMPORT_CHAT's body */
    /* of the member that is being read */
    struct files_new_object object;
    bool writing;
    int64_t wall_us;
};

/* On an error nothing is left and the struct is empty. fd: read from where it stands. */
enum err dump_restore(int fd, struct files *files, const struct dump_limits *limits, int64_t wall_us,
                      struct dump_restored *out, struct fault *why) MUST_CHECK;
/* Removes the files again and empties the struct. */
void dump_restored_remove(struct dump_restored *self);
/* Empties the struct; the files stay. */
void dump_restored_fini(struct dump_restored *self);

#endif
