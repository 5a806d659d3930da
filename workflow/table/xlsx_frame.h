/* xlsx_frame - what a workbook has around its table: sheet titles, the fixed parts, a sheet's head, the sheet Info. */
#ifndef XLSX_FRAME_H
#define XLSX_FRAME_H

#include "table/sink.h"
#include "table/zip_write.h"

#define XLSX_TITLE_CHARACTERS_MAX 31
#define XLSX_HEADER_STYLE         "1" /* bold and bordered */

#define XLSX_SHEET_PART "xl/worksheets/sheet1.xml"
#define XLSX_INFO_PART  "xl/worksheets/sheet2.xml"

#define XLSX_SHEET_START                                                                                               \
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"                                                  \
    "<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">"

#define XLSX_HEAD_BYTES   256 /* of a sheet's head without column widths */
#define XLSX_COLUMN_BYTES 64  /* of one column's width in it */

/* ERR_INVALID says what Excel does not allow in a sheet's name. */
enum err xlsx_frame_check_title(const char *title, struct fault *why) MUST_CHECK;

/* All parts but the worksheets. */
enum err xlsx_frame_write(struct zip_write *zip, const char *title, bool info_sheet, struct fault *why) MUST_CHECK;

/* Everything of a sheet before <sheetData>; widths is NULL or has one number a column. */
enum err xlsx_frame_head(struct buf *out, uint32_t columns, uint64_t rows, const uint32_t *widths) MUST_CHECK;

enum err xlsx_frame_info(struct zip_write *zip, const struct layout *look, const struct columns *columns, uint64_t rows,
                         struct fault *why) MUST_CHECK;

#endif
