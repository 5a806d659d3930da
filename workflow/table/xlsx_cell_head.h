/* xlsx_cell_head - what the start tag of a cell says (ECMA-376 part 1, 18.3.1.4): `<c r="C1042" s="3" t="s">`. */
#ifndef XLSX_CELL_HEAD_H
#define XLSX_CELL_HEAD_H

#include "table/xml_scan.h"

/* What a cell's t="..." says its <v> holds. */
enum xlsx_value_type {
    XLSX_VALUE_NUMBER,
    XLSX_VALUE_SHARED,
    XLSX_VALUE_INLINE,
    XLSX_VALUE_TEXT,
    XLSX_VALUE_TRUTH,
    XLSX_VALUE_ERROR,
    XLSX_VALUE_DATE
};

struct xlsx_cell_head {
    enum xlsx_value_type type;
    uint32_t column; /* 0-based; only the column counts, the row's number is said by the row */
    uint32_t format; /* index into the workbook's cell formats */
};

/* From the attributes of the scanner's present XML_OPEN token. What they do not say stays as it is in *out. */
enum err xlsx_cell_head_read(const struct xml_scan *scan, struct xlsx_cell_head *out, struct fault *why) MUST_CHECK;

/* A short cut for the commonest content of a sheet: when a whole cell `<c r="..." s="..." t="..."><v>text</v></c>` or
 * `... t="inlineStr"><is><t>text</t></is></c>` comes next and lies in the window, takes it at once: its text is the
 * scanner's present token. false: nothing is taken, which never means that no such cell comes. */
bool xlsx_cell_head_take(struct xml_scan *scan, struct xlsx_cell_head *out);

/* One to nine digits as a number. */
bool xlsx_cell_digits(const char *text, size_t len, uint32_t *out);

#endif
