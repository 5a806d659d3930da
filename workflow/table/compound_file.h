/* compound_file - one stream of an OLE compound file, the package of old Excel workbooks.
 *
 * Source of the format: [MS-CFB] 2.1 to 2.6. Only what reading one stream needs: the tables of sectors are loaded, the
 * stream stays in the file. Every number in the file is taken for a lie until it fits the file's size. Used by one
 * thread; the descriptor is borrowed. */
#ifndef COMPOUND_FILE_H
#define COMPOUND_FILE_H

#include "err.h"

#include <stdint.h>

struct compound_file;

/* Opens the first of the names (ASCII, NULL-terminated list) that the root folder has. ERR_NOT_FOUND: none. */
enum err compound_file_open(struct compound_file **out, int fd, const char *const *names, struct fault *why) MUST_CHECK;
void compound_file_destroy(struct compound_file **self_p);

uint64_t compound_file_size(const struct compound_file *self); /* of the stream, bytes */
/* All len bytes, or ERR_INVALID when the stream is shorter. */
enum err compound_file_read(const struct compound_file *self, uint64_t offset, void *to, size_t len,
                            struct fault *why) MUST_CHECK;

#endif
