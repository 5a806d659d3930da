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

#define BUF_INIT(max) ((struct buf){.data = NULL, .len = 0, .room = 0, .limit = (max)})

void buf_fini(struct buf *self);
void buf_clear(struct buf *self); /* keeps the memory */
enum err buf_add(struct buf *self, const void *bytes, size_t len) MUST_CHECK;
enum err buf_add_text(struct buf *self, const char *text) MUST_CHECK;
enum err buf_add_byte(struct buf *self, uint8_t byte) MUST_CHECK;
enum err buf_add_decimal(struct buf *self, int64_t value) MUST_CHECK;
enum err buf_printf(struct buf *self, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
/* Room for len more bytes; *at is valid until the next call. The bytes count as used. */
enum err buf_extend(struct buf *self, size_t len, char **at) MUST_CHECK;
/* The content as a C string, borrowed ("" when empty); NULL when there is no memory for the final NUL. */
const char *buf_text(struct buf *self);
/* Gives the memory away (caller frees); the buffer is empty afterwards. */
char *buf_steal(struct buf *self, size_t *len);

#endif
