/* cell - one value of a table, and the row and column list made of such values.
 *
 * Readers make only EMPTY, TEXT and ERROR: everything in a file becomes text (see number_text.h for how numbers print).
 * The other kinds exist because an operation made them (a constant default, a count), and only typed sinks (xlsx, json)
 * keep them. TEXT is UTF-8, `len` bytes, not NUL-terminated. A text of length 0 does not exist: that is EMPTY. */
#ifndef CELL_H
#define CELL_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum cell_kind {
    CELL_EMPTY,
    CELL_TEXT,
    CELL_ERROR, /* a spreadsheet error value (#N/A): the only null a file can hold; is.text names it, e.g. "#N/A" */
    CELL_INTEGER,
    CELL_REAL, /* finite: NaN and infinity become EMPTY before they get here */
    CELL_TRUTH,
};

struct cell {
    enum cell_kind kind;
    uint32_t len; /* bytes of is.text for TEXT and ERROR, otherwise 0 */
    union {
        const char *text;
        int64_t integer;
        double real;
        bool truth;
    } is;
};

struct row {
    uint64_t number;         /* 1-based number of the data row (the header is row 0), for messages */
    uint32_t count;          /* always the column count of the table */
    const struct cell *cell; /* borrowed: valid until the next call on the source */
    bool blank;              /* no cell holds anything, so none need be looked at; false: not known */
};

struct columns {
    uint32_t count;
    const struct cell *name; /* TEXT, unique, never EMPTY (see header.h) */
};

static inline struct cell cell_empty(void)
{
    return (struct cell){.kind = CELL_EMPTY, .len = 0, .is.text = ""};
}

static inline struct cell cell_text(const char *text, size_t len)
{
    return len == 0 ? cell_empty() : (struct cell){.kind = CELL_TEXT, .len = (uint32_t)len, .is.text = text};
}

#define CELL_NUMBER_MAX 40 /* bytes that cell_as_text() may need for a number or truth value */

static inline void cells_clear(struct cell *cell, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cell[i] = cell_empty();
}

/* The cell as text: EMPTY and ERROR -> "" (ERROR prints as nothing everywhere but in the formats that have a null),
 * INTEGER, REAL and TRUTH -> Python's str() (`7`, `2.0`, `1e-07`, `True`), written into `space`.
 * Returns the text (borrowed from the cell or `space`) and its length. */
const char *cell_as_text(const struct cell *self, char space[CELL_NUMBER_MAX], size_t *len);

/* Index of a column by exact name, or -1. Linear; look up once per step, not per row. */
int64_t columns_find(const struct columns *self, const char *name, size_t len);

#endif
