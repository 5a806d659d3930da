/* xlsx_strings - the shared strings of a workbook (ECMA-376 part 1, 18.4): all texts one behind the other in one arena.
 *
 * Rich text is joined, phonetic runs are left out, `_xHHHH_` escapes are decoded. Read whole when the sheet is opened,
 * because cells name strings in any order. */
#ifndef XLSX_STRINGS_H
#define XLSX_STRINGS_H

#include "table/cell.h"
#include "table/xml_scan.h"
#include "table/zip_archive.h"

#include "buf.h"

#define XLSX_STRINGS_BYTES_MAX (512u << 20) /* of all texts together: the step's memory limit usually comes first */
#define XLSX_STRINGS_MAX       (64u << 20)

struct xlsx_strings {
    struct buf bytes;
    uint32_t *end; /* of string i in bytes; it begins where string i - 1 ends */
    uint32_t count;
    uint32_t room;
};

/* `part` may be NULL: no strings. Faults begin with the part's file name. */
enum err xlsx_strings_load(struct xlsx_strings *out, struct zip_archive *archive, struct zip_entry *part,
                           struct fault *why) MUST_CHECK;
void xlsx_strings_fini(struct xlsx_strings *self);

/* String i as a cell: TEXT (borrowed) or EMPTY. i < count. */
static inline struct cell xlsx_strings_cell(const struct xlsx_strings *self, uint32_t i)
{
    uint32_t begin = i > 0 ? self->end[i - 1] : 0;
    if (self->end[i] == begin) /* where all are empty there are no bytes to point into */
        return cell_empty();
    return cell_text(self->bytes.data + begin, self->end[i] - begin);
}

/* The scanner stands behind the start tag of a <si> or <is>: adds its text to `to` and goes behind its end tag.
 * ERR_TOO_LARGE beyond SOURCE_CELL_BYTES_MAX. */
enum err xlsx_strings_item(struct xml_scan *scan, struct buf *to, struct fault *why) MUST_CHECK;

/* The same for an element that holds the text itself (<v>), escapes not decoded. */
enum err xlsx_strings_element(struct xml_scan *scan, struct buf *to, struct fault *why) MUST_CHECK;

/* Adds the text of the scanner's present XML_TEXT token. */
enum err xlsx_strings_text(struct xml_scan *scan, struct buf *to, struct fault *why) MUST_CHECK;

#endif
