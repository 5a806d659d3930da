/* operation - what a step does with a table. One file and one row of the registry an operation.
 *
 * An operation knows no file and no format: rows come in from a source, rows or text go out through `struct step`.
 * Every function runs in the step's own process, inside the sandbox. A fault's text is for the user; the driver puts
 * the operation's error_prefix before it ("Excel operation failed: "). */
#ifndef OPERATION_H
#define OPERATION_H

#include "operations/arguments.h"
#include "table/cell.h"
#include "table/sink.h"
#include "table/source.h"

#include <jansson.h>

struct step; /* step.h: what an operation may ask of the driver */

enum makes {
    MAKES_ROWS, /* a table: rows emitted go to the visible file and to the next step */
    MAKES_TEXT, /* a text file (SQL, JSON): the next step gets the table this one was given */
    MAKES_DATA, /* a result only, which is a file when it is large; the next step gets the table this one was given */
};

struct operation {
    const char *name;         /* "excel/map-columns" */
    const char *suffix;       /* "mapped": output is {stem}_{suffix}_{YYYYMMDD_HHMMSS}{ext}; "" = {stem}{ext} */
    const char *error_prefix; /* "Excel operation failed: " */
    const char *help;         /* one sentence for the documentation */
    const char *remembers; /* what it must keep in memory ("keys", "one row"), or NULL: goes into the documentation */
    enum makes makes;
    struct layout look;               /* starting point of the layout of its output */
    const struct argument *arguments; /* its arguments, ended by a row with name NULL */
    size_t state_size;                /* bytes of zeroed state handed to every function below */
    /* Arguments alone; no file is open yet. May be NULL. */
    enum err (*check)(void *state, const struct arguments *given, struct fault *why);
    /* The input's columns are known. MAKES_ROWS must call step_begin_table() here (or in the first row). */
    enum err (*begin)(void *state, struct step *step, const struct columns *in, struct fault *why);
    enum err (*row)(void *state, struct step *step, const struct row *in, struct fault *why); /* emits 0..n rows */
    /* After the last row of a pass: *again = true reads the source once more. NULL = one pass. */
    enum err (*end_of_pass)(void *state, struct step *step, bool *again, struct fault *why);
    enum err (*finish)(void *state, struct step *step, struct fault *why); /* last rows and the result; may be NULL */
    void (*fini)(void *state);                                             /* may be NULL; state may be half made */
};

/* NULL-terminated (registry.c): a new operation is one file and one row here. */
extern const struct operation *const operations[];
const struct operation *operation_find(const char *name); /* NULL when there is none */

/* What every operation takes besides its own arguments: the driver acts on them, the worker on the name. Ended by
 * a row with name NULL. */
enum common_argument { COMMON_SHEET, COMMON_DELIMITER, COMMON_OUTPUT_FILENAME };
extern const struct argument common_arguments[];

#endif
