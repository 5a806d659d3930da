/* header - the column names of a table, made as the contract says (section 6): an empty name becomes
 * "Unnamed: <0-based index>", a repeated "a" becomes "a.1", "a.2" (skipping names already taken).
 * One rule for every format. */
#ifndef HEADER_H
#define HEADER_H

#include "table/cell.h"

struct header {
    struct columns columns; /* owned here; names are TEXT */
    struct cell *cells;
    char *bytes;
};

/* Copies the raw header cells (TEXT or EMPTY) into unique names. ERR_TOO_LARGE beyond SOURCE_COLUMNS_MAX. */
enum err header_make(struct header *out, const struct cell *raw, uint32_t count, struct fault *why) MUST_CHECK;
void header_fini(struct header *self);

#endif
