/* xlsx_column - columns as spreadsheets call them: A, B, ..., Z, AA, ..., XFD for 0, 1, ... */
#ifndef XLSX_COLUMN_H
#define XLSX_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XLSX_COLUMNS_MAX     16384
#define XLSX_COLUMN_NAME_MAX 4 /* "XFD" and the NUL */

/* Returns the length. column < XLSX_COLUMNS_MAX. */
size_t xlsx_column_name(uint32_t column, char out[XLSX_COLUMN_NAME_MAX]);

/* "C1042" -> 2: the letters of a cell reference, in any case; what follows them is not looked at. */
bool xlsx_column_parse(const char *reference, size_t len, uint32_t *out);

#endif
