/* arguments - the JSON object a user sent for a step, checked against the operation's own table.
 *
 * The table names every argument, its type, default and the other names existing front ends send for it. An argument of
 * the wrong type is ERR_INVALID naming it; an unknown one is ignored (existing clients send extra keys), and null
 * counts as not given. Form fields send everything as text: a text that is JSON of the wanted type ("true", "[\"a\"]")
 * is read as such. The object outlives every value borrowed from it. Used by one thread. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "table/cell.h"

#include <jansson.h>

enum argument_type {
    ARGUMENT_TEXT,
    ARGUMENT_TRUTH,
    ARGUMENT_NUMBER,
    ARGUMENT_TEXTS, /* list of texts; numbers and truth values in it become text (a header may be 2024) */
    ARGUMENT_OBJECT,
    ARGUMENT_LIST,
    ARGUMENT_ANY,
    ARGUMENT_FILE, /* a text that names a second file (step_side_source): the worker opens it beforehand */
};

#define ARGUMENT_ITEMS_MAX 16384 /* members of one TEXTS, OBJECT or LIST; more is ERR_TOO_LARGE naming the argument */

struct argument {
    const char *name;
    const char *aliases; /* comma-separated other names, or NULL */
    enum argument_type type;
    const char *standard; /* default as JSON text ("false", "\"AND\"", "[]"), or NULL when there is none */
    const char *help;
};

struct arguments;

enum err arguments_new(struct arguments **out, const struct argument *table, const json_t *given,
                       struct fault *why) MUST_CHECK;
void arguments_destroy(struct arguments **self_p);

/* How a type is called in messages and in the documentation: "a text", "true or false", "a list of texts". */
const char *argument_type_name(enum argument_type type);

bool arguments_given(const struct arguments *self, const char *name); /* by the user, not by default */
/* The value (given or default), borrowed, not to be changed (jansson iterates only over what is not const); NULL when
 * not given and without default. The name must be in the table, here and below. */
json_t *arguments_get(const struct arguments *self, const char *name);
const char *arguments_text(const struct arguments *self, const char *name); /* "" when absent */
bool arguments_truth(const struct arguments *self, const char *name);
/* Texts of an ARGUMENT_TEXTS list (a single text counts as a list of one). */
size_t arguments_count(const struct arguments *self, const char *name);
const char *arguments_item(const struct arguments *self, const char *name, size_t i);

/* The file name of an ARGUMENT_FILE: of a path, which clients send as they got it, the last part. Borrowed. */
const char *argument_file_name(const char *text);

/* The value of the table's row in what a user sent: that of its name, or of the first alias that has one; NULL when it
 * was not given. Borrowed, unchecked: for those who must look before arguments_new(). */
json_t *argument_find(const struct argument *row, const json_t *given);

/* A JSON value as a cell that borrows from it: text, integer, real, true/false; null is EMPTY. false: a list or object.
 */
bool argument_cell(const json_t *value, struct cell *out);

#endif
