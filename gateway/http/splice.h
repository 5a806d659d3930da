/* splice - the content of files in the middle of an answer's text: what is too large for memory stays on disk until the
 * moment it is sent. The text has no gap where a file stands; a splice says before which of its bytes the file's come.
 * Used by one thread. */
#ifndef SPLICE_H
#define SPLICE_H

#include "err.h"

#include <stdint.h>
#include <sys/types.h>

struct splices {
    struct splice {
        size_t at; /* offset in the text; not less than that of the splice before */
        int fd;
        uint64_t bytes;
    } * list;
    size_t count, room;
};

#define SPLICES_INIT ((struct splices){.list = NULL})

void splices_fini(struct splices *self); /* closes the descriptors */
/* Takes the descriptor, whatever the result. ERR_MEMORY only. */
enum err splices_add(struct splices *self, size_t at, int fd, uint64_t bytes) MUST_CHECK;
/* More text stands before all of them. */
void splices_shift(struct splices *self, size_t by);
uint64_t splices_bytes(const struct splices *self); /* of the files alone */
/* At most max bytes of the whole from offset `from`: 0 at its end, -1 when a file cannot be read or has become shorter.
 */
ssize_t splices_read(const struct splices *self, const char *text, size_t len, uint64_t from, char *out, size_t max);

#endif
