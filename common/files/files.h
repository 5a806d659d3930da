/* files - immutable objects by key: create, write, commit, open, remove. Engines: folder (folder.c); others later.
 *
 * An object gets a key of its own when it is created ("2026/11/<chat>/uploads/<16 hex>"), is written through a plain
 * descriptor, and exists for others once committed (file and folder synced) *and* named by the record. Nothing
 * committed is ever renamed or overwritten. Any thread; handles by one thread at a time. */
#ifndef FILES_H
#define FILES_H

#include "err.h"

#include <stdint.h>

#define FILES_KEY_MAX 320 /* bytes with the final NUL */

struct files;

struct files_new_object {
    int fd; /* open for reading and writing, empty; closed by commit or abandon */
    char key[FILES_KEY_MAX];
};

/* The folder engine: `root` is made if missing (0700). */
enum err files_open_folder(struct files **out, const char *root, struct fault *why) MUST_CHECK;
void files_close(struct files **self_p);

/* prefix: "2026/11/<chat>/uploads", made of segments of A-Z a-z 0-9 . _ ~ : - that are neither "." nor "..". */
enum err files_create(struct files *self, const char *prefix, struct files_new_object *out,
                      struct fault *why) MUST_CHECK;
/* Appends all of it. A fault is the system's words alone: the caller says what could not be written. */
enum err files_write(const struct files_new_object *object, const void *bytes, size_t len,
                     struct fault *why) MUST_CHECK;
/* Syncs file and folder, closes the descriptor; *bytes (may be NULL) = its size. */
enum err files_commit(struct files *self, struct files_new_object *object, uint64_t *bytes,
                      struct fault *why) MUST_CHECK;
void files_abandon(struct files *self, struct files_new_object *object); /* closes and unlinks; best effort */

/* Opens a committed object for reading. A key from outside is checked like a prefix: no "..", no absolute path. */
enum err files_open(struct files *self, const char *key, int *fd, uint64_t *bytes, struct fault *why) MUST_CHECK;
enum err files_remove(struct files *self, const char *key, struct fault *why) MUST_CHECK; /* absent is ERR_OK */

/* --- everything that is stored, committed or not: for finding what no record names --- */

struct files_walk;

struct files_found {
    char key[FILES_KEY_MAX];
    int64_t written_us; /* the newest write, microseconds since the Unix epoch */
};

/* The walk must be closed before its files. */
enum err files_walk_open(struct files *self, struct files_walk **out, struct fault *why) MUST_CHECK;
void files_walk_close(struct files_walk **self_p);
/* The next object; ERR_END after the last. Folder by folder, so that objects of one prefix come one after the other.
 * One that is made or removed meanwhile may be met or not; what cannot be an object is passed over. */
enum err files_walk_next(struct files_walk *self, struct files_found *out, struct fault *why) MUST_CHECK;

#endif
