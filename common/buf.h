/* buf - bytes that grow up to a limit the owner names. Zero-initialised by BUF_INIT(limit); freed by buf_fini().
 * One owner at a time; any thread. A write that would pass the limit changes nothing and returns ERR_FULL. */
#ifndef BUF_H
#define BUF_H

#include "err.h"

#include <stdint.h>

struct buf {
    char *data;   /* NULL while empty; not NUL-terminated unless buf_text() was called */
    size_t len;   /* bytes in use */
    size_t room;  /* bytes allocated */
    size_t limit; /* len never exceeds this */
};

#define BUF_DECIMAL_MAX 20 /* a sign and 19 digits */

#define BUF_INIT(max) ((struct buf){.data = NULL, .len = 0, .room = 0, .limit = (max)})

void buf_fini(struct buf *self);
void buf_clear(struct buf *self);                           /* keeps the memory */
enum err buf_grow(struct buf *self, size_t len) MUST_CHECK; /* for buf_extend(): no room for len more bytes */
/* Room for len more bytes; *at is valid until the next call. The bytes count as used. Inline, as most bytes of a frame
 * come in small pieces. */
static inline enum err buf_extend(struct buf *self, size_t len, char **at) MUST_CHECK;
enum err buf_add(struct buf *self, const void *bytes, size_t len) MUST_CHECK;
enum err buf_add_text(struct buf *self, const char *text) MUST_CHECK;
enum err buf_add_byte(struct buf *self, uint8_t byte) MUST_CHECK;
enum err buf_add_decimal(struct buf *self, int64_t value) MUST_CHECK;
size_t buf_decimal(int64_t value, char out[BUF_DECIMAL_MAX]); /* the same elsewhere: how many bytes, and no NUL */
enum err buf_printf(struct buf *self, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
/* The content as a C string, borrowed ("" when empty); NULL when there is no memory for the final NUL. */
const char *buf_text(struct buf *self);
/* Gives the memory away (caller frees); the buffer is empty afterwards. */
char *buf_steal(struct buf *self, size_t *len);

/* One byte more than asked for is always there, for buf_text(). */
static inline enum err buf_extend(struct buf *self, size_t len, char **at)
{
    bool fits = len <= self->limit - self->len && self->len + len < self->room;
    enum err err = fits ? ERR_OK : buf_grow(self, len);
    if (err != ERR_OK)
        return err;
    *at = self->data + self->len;
    self->len += len;
    return ERR_OK;
}

#endif
