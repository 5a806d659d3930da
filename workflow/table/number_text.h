/* number_text - numbers as text, as the contract's clients know them (Python's repr and str), and back. Locale-free. */
#ifndef NUMBER_TEXT_H
#define NUMBER_TEXT_H

#include "table/cell.h"

/* A double as Python's repr(): shortest digits that read back the same, `1e-07`, `0.1`, `1e+16`, `2.0`.
 * Returns the length; never NUL-terminates. */
size_t number_repr(double value, char out[CELL_NUMBER_MAX]);

#define NUMBER_DIGITS_MAX 330 /* an integral double has at most 309 digits */

/* What a spreadsheet's number becomes as text (contract section 6): integral -> integer digits without a point
 * (`2.0` -> `2`, `1E+20` -> `100000000000000000000`, digits beyond 2^53 as written in the file), otherwise Python's
 * repr. `text` is the number as the file writes it. false: not a number. */
bool number_from_sheet(const char *text, size_t len, char out[NUMBER_DIGITS_MAX], size_t *out_len);

/* What counts as a number in a condition (contract, excel/search): blanks around, `+5`, `.5`, `5.`, `1e3`, `inf`,
 * `00012`; not `0x10`, `1_000`, `1,000`, `abc` or nothing. */
bool number_parse(const char *text, size_t len, double *out);

#endif
