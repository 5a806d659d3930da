/* xlsx_part - reads a small XML part of a package (workbook, relationships, styles, content types) with expat.
 *
 * The handlers get names without their prefix: transitional and strict OOXML differ in namespaces, not in names.
 * Refused: document type declarations, parts beyond XLSX_PART_BYTES_MAX, nesting beyond XLSX_PART_DEPTH_MAX. */
#ifndef XLSX_PART_H
#define XLSX_PART_H

#include "table/zip_archive.h"

#define XLSX_PART_BYTES_MAX (32u << 20)
#define XLSX_PART_DEPTH_MAX 128

/* The value of an attribute by its local name, or NULL. */
const char *xlsx_part_attribute(const char *const *attributes, const char *name);

struct xlsx_part_handler {
    /* An error (its text in `why`) ends the reading. `close` may be NULL. */
    enum err (*open)(void *context, const char *name, const char *const *attributes, struct fault *why);
    enum err (*close)(void *context, const char *name, struct fault *why);
};

/* Faults begin with the part's file name. */
enum err xlsx_part_read(struct zip_archive *archive, struct zip_entry *entry, const struct xlsx_part_handler *handler,
                        void *context, struct fault *why) MUST_CHECK;

/* "xl/worksheets/sheet1.xml" -> "sheet1.xml": how messages call a part. */
const char *xlsx_part_short_name(const char *name);

#endif
