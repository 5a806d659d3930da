/* xls_workbook - what the sheets of an old Excel workbook share: names and places of the sheets, texts, cell formats.
 * Source of the format: [MS-XLS] 2.4 (BoundSheet8, SST, Format, XF, Date1904, FilePass, BOF). Used by one thread. */
#ifndef XLS_WORKBOOK_H
#define XLS_WORKBOOK_H

#include "table/xls_record.h"

#define XLS_SHEETS_MAX  1024
#define XLS_FORMATS_MAX 65536
#define XLS_TEXTS_BYTES (1u << 30) /* a step's memory limit ends it earlier */

enum xls_record_type {
    XLS_FORMULA = 0x06,
    XLS_EOF = 0x0A,
    XLS_DATE1904 = 0x22,
    XLS_FILEPASS = 0x2F,
    XLS_BOUNDSHEET = 0x85,
    XLS_MULRK = 0xBD,
    XLS_RSTRING = 0xD6,
    XLS_XF = 0xE0,
    XLS_SST = 0xFC,
    XLS_LABELSST = 0xFD,
    XLS_NUMBER = 0x203,
    XLS_LABEL = 0x204,
    XLS_BOOLERR = 0x205,
    XLS_STRING = 0x207,
    XLS_RK = 0x27E,
    XLS_FORMAT = 0x41E,
    XLS_BOF = 0x809,
};

struct xls_workbook {
    struct xls_sheet {
        struct buf name;
        uint32_t offset; /* of its BOF in the stream */
    } * sheet;
    uint32_t sheet_count;
    struct buf bytes; /* of all shared texts */
    struct xls_text {
        uint32_t from, len;
    } * text;
    uint32_t text_count;
    bool format_is_date[XLS_FORMATS_MAX]; /* by number format */
    uint16_t *format;                     /* number format by cell format */
    uint32_t format_count;
    bool date1904;
};

/* Reads from the start of the stream. */
enum err xls_workbook_load(struct xls_workbook *self, struct xls_records *records, struct fault *why) MUST_CHECK;
void xls_workbook_fini(struct xls_workbook *self);

/* By name or 0-based index as text; NULL is the first one. */
enum err xls_workbook_sheet(const struct xls_workbook *self, const char *name, const struct xls_sheet **out,
                            struct fault *why) MUST_CHECK;

static inline bool xls_workbook_is_date(const struct xls_workbook *self, uint16_t cell_format)
{
    return cell_format < self->format_count && self->format_is_date[self->format[cell_format]];
}

#endif
