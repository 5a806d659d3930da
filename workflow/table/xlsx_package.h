/* xlsx_package - an Excel workbook as a package of parts (ECMA-376 part 2) in a zip archive.
 *
 * Finds the parts by relationships and content types, never by their usual names: the workbook with its sheets, the
 * shared strings and the styles. Works for .xlsx and .xlsm, transitional and strict. Used by one thread. */
#ifndef XLSX_PACKAGE_H
#define XLSX_PACKAGE_H

#include "table/zip_archive.h"

#define XLSX_SHEETS_MAX        4096
#define XLSX_RELATIONSHIPS_MAX 65536
#define XLSX_NAME_BYTES_MAX    1024 /* of a part or a sheet */

struct xlsx_worksheet {
    char *name;
    char *relationship; /* its id in the workbook's relationships */
    struct zip_entry *part;
};

struct xlsx_package {
    struct zip_archive *archive;
    struct xlsx_worksheet *worksheet; /* in the workbook's order, hidden ones too; chart and macro sheets left out */
    uint32_t worksheet_count;
    struct zip_entry *strings; /* NULL: the workbook has none */
    struct zip_entry *styles;
    bool date1904;
};

/* `fd` is borrowed. ERR_INVALID or ERR_UNSUPPORTED when it is no Excel workbook that can be read, saying what it is. */
enum err xlsx_package_new(struct xlsx_package **out, int fd, uint64_t inflated_bytes_max, struct fault *why) MUST_CHECK;
void xlsx_package_destroy(struct xlsx_package **self_p);

/* A worksheet by name, else by 0-based index as text; NULL is the first. ERR_NOT_FOUND names the available ones. */
enum err xlsx_package_worksheet(const struct xlsx_package *self, const char *name, const struct xlsx_worksheet **out,
                                struct fault *why) MUST_CHECK;

#endif
