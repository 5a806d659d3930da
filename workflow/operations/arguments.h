/* arguments - the JSON object a user sent for a step, checked against the operation's own table.
 *
 * The table names every argument, its type, default and the other names existing front ends send for it. An argument of
 * the wrong type is ERR_INVALID naming it; an unknown one is ignored (existing clients send extra keys). */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include "err.h"

#include <jansson.h>

enum argument_type { ARGUMENT_TEXT, ARGUMENT_TRUTH, ARGUMENT_NUMBER, ARGUMENT_TEXTS, ARGUMENT_OBJECT, ARGUMENT_LIST, ARGUMENT_ANY };

struct argument {
    const char *name;
    const char *aliases;  /* comma-separated other names, or NULL */
    enum argument_type type;
    const char *standard; /* default as JSON text ("false", "\"AND\"", "[]"), or NULL when there is none */
    const char *help;
};

struct arguments;

enum err arguments_new(struct arguments **out, const struct argument *table, const json_t *given, struct fault *why)
    MUST_CHECK;
void arguments_destroy(struct arguments **self_p);

/* The value (given or default), borrowed; NULL when not given and without default. The name must be in the table. */
const json_t *arguments_get(const struct arguments *self, const char *name);
const char *arguments_text(const struct arguments *self, const char *name); /* "" when absent */
bool arguments_truth(const struct arguments *self, const char *name);
/* Texts of an ARGUMENT_TEXTS list (a single text counts as a list of one). */
size_t arguments_count(const struct arguments *self, const char *name);
const char *arguments_item(const struct arguments *self, const char *name, size_t i);

#endif
