/* file_answer - a file that never changes as the answer of a request, whole or in part, with its name and what caches
 * need. HTTP thread. */
#ifndef FILE_ANSWER_H
#define FILE_ANSWER_H

#include "http/request.h"

#define FILE_ANSWER_ETAG_MAX 64

struct file_answer {
    const char *name; /* for the client; its extension says the media type */
    int fd;
    uint64_t bytes;
    char etag[FILE_ANSWER_ETAG_MAX]; /* with its quotes */
};

/* Takes the descriptor. */
void file_answer_send(struct request *request, const struct file_answer *file);

#endif
