/* xlsx_styles - which cell formats of a workbook show dates or times (ECMA-376 part 1, 18.8). */
#ifndef XLSX_STYLES_H
#define XLSX_STYLES_H

#include "table/zip_archive.h"

#define XLSX_FORMATS_MAX 65536 /* of cells; Excel allows 65,490. Also the end of the ids of number formats */

struct xlsx_styles {
    bool *is_date; /* by index into cellXfs: the s="..." of a cell */
    uint32_t count;
};

/* `part` may be NULL: no format is a date. Faults begin with the part's file name. */
enum err xlsx_styles_load(struct xlsx_styles *out, struct zip_archive *archive, struct zip_entry *part,
                          struct fault *why) MUST_CHECK;
void xlsx_styles_fini(struct xlsx_styles *self);

static inline bool xlsx_styles_date(const struct xlsx_styles *self, uint32_t format)
{
    return format < self->count && self->is_date[format];
}

#endif
