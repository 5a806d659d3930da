/* multipart - a streaming reader of multipart/form-data bodies (RFC 7578, RFC 2046 5.1), fed in pieces of any size.
 *
 * It holds a part's header (bounded) and never a part's content: content is handed on as it comes, in pieces. Preamble
 * and epilogue are skipped, transport padding after a boundary is accepted, a line that merely begins like a boundary
 * is content. Pure; one thread at a time. */
#ifndef MULTIPART_H
#define MULTIPART_H

#include "err.h"

#define MULTIPART_BOUNDARY_MAX 70   /* RFC 2046 5.1.1 */
#define MULTIPART_HEADER_MAX   8192 /* bytes of one part's header */
#define MULTIPART_PARTS_MAX    256
#define MULTIPART_PADDING_MAX  256  /* blanks after a boundary */
#define MULTIPART_TEXT_MAX     1024 /* bytes of a field or file name with the NUL; a longer name keeps its end */

struct multipart_part {
    const char *name;         /* of the form field */
    const char *filename;     /* as sent: not a safe name. NULL when the part is not a file */
    const char *content_type; /* "" when absent */
};

/* Called from multipart_feed(); everything is borrowed for the call. An error ends the reading and is handed on. */
struct multipart_sink {
    void *context;
    enum err (*begin)(void *context, const struct multipart_part *part, struct fault *why);
    enum err (*data)(void *context, const char *bytes, size_t len, struct fault *why);
    enum err (*end)(void *context, struct fault *why);
};

enum multipart_state {
    MULTIPART_PREAMBLE,
    MULTIPART_BOUNDARY, /* a whole delimiter was seen; what follows tells whether it is one */
    MULTIPART_DASH,     /* ... and one dash */
    MULTIPART_PADDING,
    MULTIPART_LINE_END, /* a CR after the delimiter */
    MULTIPART_HEADER,
    MULTIPART_CONTENT,
    MULTIPART_EPILOGUE,
    MULTIPART_BROKEN, /* an error was reported; every further call reports it again */
};

struct multipart {
    enum multipart_state state;
    struct multipart_sink sink;
    char delimiter[MULTIPART_BOUNDARY_MAX + 5]; /* CR LF dash dash boundary */
    size_t delimiter_len;
    size_t matched; /* bytes of the delimiter that the latest bytes equal */
    size_t assumed; /* how many of them were never sent: the CR LF before a boundary where a line begins anyway */
    size_t padding;
    bool in_part; /* false in the preamble: content is thrown away */
    size_t parts;
    size_t header_len;
    char header[MULTIPART_HEADER_MAX + 1];
};

/* Takes the boundary out of a Content-Type value. ERR_UNSUPPORTED: not multipart/form-data. ERR_INVALID: no boundary,
 * or not one RFC 2046 allows. */
enum err multipart_boundary(const char *content_type, char out[MULTIPART_BOUNDARY_MAX + 1],
                            struct fault *why) MUST_CHECK;

void multipart_init(struct multipart *self, const char *boundary, const struct multipart_sink *sink);
/* ERR_INVALID for a body that is not multipart, ERR_TOO_LARGE beyond a limit above, or what the sink answered. */
enum err multipart_feed(struct multipart *self, const char *bytes, size_t len, struct fault *why) MUST_CHECK;
/* The body has ended: ERR_INVALID when the closing boundary has not been seen. */
enum err multipart_finish(struct multipart *self, struct fault *why) MUST_CHECK;

#endif
