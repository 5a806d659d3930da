/* output_name - how the files that steps make are called: {stem}_{suffix}_{YYYYMMDD_HHMMSS}{ending}, in UTC.
 *
 * The worker and the step's process both need a name (the process prints it into the file), so both compute it from the
 * same plan. A name that is taken gets -2, -3, ... before its ending. Names are UTF-8. Pure; any thread. */
#ifndef OUTPUT_NAME_H
#define OUTPUT_NAME_H

#include "err.h"

#include <jansson.h>
#include <stdint.h>

#define OUTPUT_NAME_MAX 201 /* bytes of a file name with its NUL; a longer stem is cut at a character's boundary */

/* "orders.2026.csv" -> "orders.2026"; a name without a dot, or with its only dot in front, is its own stem. */
void output_name_stem(const char *name, char out[OUTPUT_NAME_MAX]);
/* Everything but the ending. suffix "": the stem alone. Leaves room for "-999" and an ending. */
void output_name_base(const char *stem, const char *suffix, int64_t started_us, char out[OUTPUT_NAME_MAX]);
/* The first of base+ending, base-2+ending, ... that is not in `taken` (an array of texts). */
void output_name_pick(const char *base, const char *ending, const json_t *taken, char out[OUTPUT_NAME_MAX]);

#endif
