/* compose - JSON put together piece by piece, remembering the first failure, so that it is asked once at the end. */
#ifndef COMPOSE_H
#define COMPOSE_H

#include "buf.h"

#include <stdint.h>

struct compose {
    struct buf buf;
    enum err err;
};

#define COMPOSE_MAX  ((size_t)64 << 20)
#define COMPOSE_INIT ((struct compose){.buf = BUF_INIT(COMPOSE_MAX), .err = ERR_OK})

void compose_fini(struct compose *self);
/* Instead: hands the text over to a buffer that is empty. The first failure, if there was one. */
enum err compose_give(struct compose *self, struct buf *to) MUST_CHECK;
void compose_plain(struct compose *self, const char *text);  /* as it is: brackets and commas */
void compose_string(struct compose *self, const char *text); /* a JSON string with quotes */
/* Members and keys bring their comma along. */
void compose_text(struct compose *self, const char *key, const char *value);
void compose_text_or_null(struct compose *self, const char *key, const char *value); /* "" becomes null */
void compose_int(struct compose *self, const char *key, int64_t value);
void compose_raw(struct compose *self, const char *key, const char *json); /* "" becomes null */

#endif
