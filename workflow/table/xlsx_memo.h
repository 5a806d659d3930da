/* xlsx_memo - the first rows of a sheet in a compact form, so that they need not be unpacked and parsed a second time.
 *
 * How wide a table is stands nowhere in the file in a way that can be believed: a sheet is read once through when it is
 * opened. The memo keeps what that pass parsed, up to XLSX_MEMO_BYTES; only what lies beyond is parsed again.
 * A row is: number, count of cells, and for each cell column * 4 + kind, then the index of the shared string or the
 * text's length and bytes; numbers are LEB128. */
#ifndef XLSX_MEMO_H
#define XLSX_MEMO_H

#include "table/xlsx_rows.h"

#define XLSX_MEMO_BYTES (16u << 20) /* a row begun below it is kept whole */

struct xlsx_memo {
    struct buf bytes;
};

#define XLSX_MEMO_INIT ((struct xlsx_memo){.bytes = BUF_INIT(XLSX_MEMO_BYTES + 2 * (size_t)XLSX_ROW_BYTES_MAX)})

void xlsx_memo_fini(struct xlsx_memo *self);
enum err xlsx_memo_add(struct xlsx_memo *self, const struct xlsx_row *row, struct fault *why) MUST_CHECK;

static inline bool xlsx_memo_full(const struct xlsx_memo *self)
{
    return self->bytes.len >= XLSX_MEMO_BYTES;
}

/* The row at *at (0 is the first), which goes to the next one; its texts are borrowed. ERR_END behind the last. */
enum err xlsx_memo_read(const struct xlsx_memo *self, const struct xlsx_strings *strings, size_t *at,
                        struct xlsx_row *row, struct fault *why) MUST_CHECK;

#endif
