/* normalizer - one type of `normalization/apply`: what it makes of a cell, and what it must know of the column first.
 *
 * A family of types is a file; each type is one row of the table in normalizers.c. Cells here are as in cell.h, except
 * that a CELL_ERROR without text is a null a normalizer made ("not a number"): it leaves the operation as nothing.
 * An empty cell is a value of its own wherever values are counted. Used by one thread, in the step's process. */
#ifndef NORMALIZER_H
#define NORMALIZER_H

#include "buf.h"
#include "operations/allowance.h"
#include "operations/arguments.h"
#include "operations/normalize/column_facts.h"
#include "table/cell.h"

/* The data_type of the column afterwards, in the report's words. */
enum column_type {
    COLUMN_OBJECT,  /* object */
    COLUMN_NUMBER,  /* int64 when all are integers, otherwise float64 */
    COLUMN_TRUTH,   /* bool */
    COLUMN_SAME,    /* as before, unless the cells cannot be that */
    COLUMN_CONTENT, /* whatever the cells are */
};

/* A requested normalization, ready for rows. */
struct normalization {
    const struct normalizer *how;
    struct arguments *parameters; /* as its table has them */
    void *state;                  /* how->state_size zeroed bytes */
    enum fact_need need;          /* how->need unless prepare() says otherwise */
    struct column_facts facts;    /* what is needed; known when the first row comes to apply() or keeps() */
    struct buf text;              /* room for the text of the cell that apply() makes */
    struct allowance *allowance;  /* borrowed */
};

struct normalizer {
    const char *name;
    const char *alias;                 /* another name that an existing front end sends, or NULL */
    const char *help;                  /* for the documentation */
    const struct argument *parameters; /* ended by a row with name NULL; NULL = none */
    enum fact_need need;
    enum column_type makes;
    size_t state_size;
    /* Reads the parameters; may be NULL. A fault leaves this normalization out and goes into the report. */
    enum err (*prepare)(struct normalization *self, struct fault *why);
    /* One cell; `out` may borrow from `in` and from self->text, until the next call. A fault ends the step. */
    enum err (*apply)(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why);
    /* Instead of apply(): whether the row stays. Every pass over the source starts with begin_pass(). */
    enum err (*begin_pass)(struct normalization *self, struct fault *why);
    enum err (*keeps)(struct normalization *self, const struct cell *in, bool *keep, struct fault *why);
    void (*fini)(void *state); /* may be NULL; state may be half made */
};

/* NULL-terminated (normalizers.c), in the order in which messages list them. */
extern const struct normalizer *const normalizers[];
const struct normalizer *normalizer_find(const char *name); /* in any case; NULL when there is none */

enum err normalization_init(struct normalization *self, const char *type, json_t *parameters,
                            struct allowance *allowance, struct fault *why) MUST_CHECK;
void normalization_fini(struct normalization *self);

/* --- for the families --- */

static inline struct cell cell_null(void)
{
    return (struct cell){.kind = CELL_ERROR, .len = 0, .is.text = ""};
}

static inline bool cell_is_null(const struct cell *cell)
{
    return cell->kind == CELL_ERROR;
}

/* The number a cell is or its text writes: an INTEGER when it is one of 64 bits, otherwise a REAL; truth is 1 or 0.
 * null when it is none; infinity is none. */
struct cell cell_as_number(const struct cell *cell);

/* The cell whose text was gathered in self->text; err is how gathering it went (ERR_FULL: too long for a cell). */
enum err normalization_text(struct normalization *self, enum err err, struct cell *out, struct fault *why) MUST_CHECK;

#endif
