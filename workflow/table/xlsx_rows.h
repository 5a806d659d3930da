/* xlsx_rows - the rows of one worksheet part, in order, with the cells that hold something and no others.
 *
 * A pull parser over the unpacked part (ECMA-376 part 1, 18.3.1): every value becomes the text that section 6 of the
 * contract asks for. Memory is one row, whatever the sheet's size. Used by one thread. */
#ifndef XLSX_ROWS_H
#define XLSX_ROWS_H

#include "table/xlsx_strings.h"
#include "table/xlsx_styles.h"
#include "table/zip_member.h"

#define XLSX_ROWS_MAX      1048576
#define XLSX_ROW_BYTES_MAX (64u << 20) /* texts of one row, shared strings not counted */

#define XLSX_OWN_TEXT UINT32_MAX

/* Values that are equal although their texts differ: see xlsx_sheet.c. */
enum xlsx_alike { XLSX_UNLIKE, XLSX_ZERO, XLSX_ONE }; /* 0 and False, 1 and True; no text is */

struct xlsx_cell {
    uint32_t column;   /* 0-based */
    uint32_t shared;   /* index of its shared string, or XLSX_OWN_TEXT */
    struct cell value; /* TEXT or ERROR, never EMPTY */
    enum xlsx_alike alike;
};

struct xlsx_row {
    uint32_t number; /* 1-based number in the sheet */
    uint32_t width;  /* 1 + the largest column */
    uint32_t count;
    uint32_t room;
    struct xlsx_cell *cell; /* in the file's order; of two for one column the later one counts */
};

struct xlsx_rows {
    const struct xlsx_strings *strings;
    const struct xlsx_styles *styles;
    const char *part; /* short name, for messages */
    bool date1904;
    struct zip_member *member;
    struct xml_scan scan;
    bool in_data; /* inside <sheetData> */
    bool ended;
    uint32_t last_number; /* of the last <row>, 1-based */

    struct xlsx_row row; /* the present one */
    struct buf text;     /* its own texts */
};

/* What the rows are made with is borrowed and must outlive them. */
enum err xlsx_rows_init(struct xlsx_rows *self, struct zip_archive *archive, struct zip_entry *part,
                        const struct xlsx_strings *strings, const struct xlsx_styles *styles, bool date1904,
                        struct fault *why) MUST_CHECK;
/* Room for one more cell in the row. */
enum err xlsx_row_add(struct xlsx_row *self, struct xlsx_cell cell, struct fault *why) MUST_CHECK;

/* Rows that go on behind the present one of `from`, which stays as it is. */
enum err xlsx_rows_clone(struct xlsx_rows *out, struct xlsx_rows *from, struct fault *why) MUST_CHECK;
void xlsx_rows_fini(struct xlsx_rows *self);

/* The next row that has a cell with a value. ERR_END behind the last; then the part's size and CRC were right, too. */
enum err xlsx_rows_next(struct xlsx_rows *self, struct fault *why) MUST_CHECK;

#endif
