/* orphans - files on disk that no row of the record names: left by a gateway or worker that was killed between writing
 * a file and telling of it. Walks through all files, piece by piece, in the janitor's thread.
 *
 * A file is let be while it is younger than the age (it may be in a call that is on its way), while its chat has an
 * unfinished job (its worker may hold it and tell of it later), when it is older than the record itself (a wrong or an
 * older record in its place must not take everything with it), and when its key is not one of a chat's files. */
#ifndef ORPHANS_H
#define ORPHANS_H

#include "files/files.h"
#include "store/store.h"

struct strmap;

struct orphans {
    struct store_reader *store; /* borrowed, like the next */
    struct files *files;
    int64_t age_us;
    struct files_walk *walk; /* the running pass, NULL between two */
    uint64_t removed;        /* in it */
    /* One chat at a time, as its files lie together. */
    char chat[ID_CHAT_MAX + 1]; /* whose keys these are; "" = nobody's */
    bool busy;
    struct strmap *named; /* keys; values are not used */
};

void orphans_init(struct orphans *self, struct store_reader *store, struct files *files, int64_t age_us);
void orphans_fini(struct orphans *self);
/* Looks at up to `max` more files and removes those nobody names. true = the pass is over, and the next call begins a
 * new one. Logs what it did and what went wrong. */
bool orphans_look(struct orphans *self, int64_t wall_us, uint32_t max);

#endif
