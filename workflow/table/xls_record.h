/* xls_record - the records of an old Excel workbook (BIFF8), one after the other, and the texts in them, which may go
 * on over several records. Source of the format: [MS-XLS] 2.1.4, 2.5.293, 2.5.294. Used by one thread. */
#ifndef XLS_RECORD_H
#define XLS_RECORD_H

#include "buf.h"
#include "table/compound_file.h"

#define XLS_RECORD_BYTES_MAX 65535

struct xls_records {
    const struct compound_file *file;
    uint64_t next; /* where the next record begins */
    uint16_t type, len;
    const unsigned char *data; /* len bytes, valid until the next call */
    size_t taken;              /* of data, by the functions below */
    uint64_t window_from;      /* what of the stream is in the window */
    size_t window_len;
    unsigned char *window;
};

enum err xls_records_init(struct xls_records *self, const struct compound_file *file, struct fault *why) MUST_CHECK;
void xls_records_fini(struct xls_records *self);

/* ERR_END behind the last. */
enum err xls_records_next(struct xls_records *self, struct fault *why) MUST_CHECK;
void xls_records_seek(struct xls_records *self, uint64_t offset);

/* Takes bytes of the record and of the CONTINUE records behind it. `to` NULL: skips them. */
enum err xls_records_take(struct xls_records *self, void *to, size_t len, struct fault *why) MUST_CHECK;
/* Takes a text whose characters were counted, as UTF-8; wide: of two bytes each. A damaged one is U+FFFD. */
enum err xls_records_text(struct xls_records *self, size_t characters, bool wide, struct buf *to,
                          struct fault *why) MUST_CHECK;

static inline uint16_t xls_get16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t xls_get32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

#endif
