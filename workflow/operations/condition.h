/* condition - the search conditions of a step: parsed once, bound to columns once, then matched row by row without
 * allocating (the room for case folding grows to the longest cell and stays).
 *
 * A condition is {"column", "operator", "value"}; its operators are one table (condition.c). Text operators look at the
 * value's text as Python prints it (true is `True`, 3.5 is `3.5`). Numbers are compared exactly. Used by one thread. */
#ifndef CONDITION_H
#define CONDITION_H

#include "table/cell.h"

#include <jansson.h>

#define CONDITIONS_MAX 1000 /* more is ERR_TOO_LARGE */

struct conditions;

/* Parses a JSON list of conditions; nothing is borrowed from it. `any`: one match is enough (OR), otherwise all (AND).
 * ERR_INVALID names what is wrong: empty list, unknown operator, missing value. */
enum err conditions_new(struct conditions **out, const json_t *list, bool any, struct fault *why) MUST_CHECK;
void conditions_destroy(struct conditions **self_p);

/* Finds the columns. ERR_INVALID "Column 'x' not found in data". */
enum err conditions_bind(struct conditions *self, const struct columns *columns, struct fault *why) MUST_CHECK;

/* Only after conditions_bind(). Fails only for want of memory. */
enum err conditions_match(struct conditions *self, const struct row *row, bool *matches, struct fault *why) MUST_CHECK;

/* The i-th operator's name, or NULL after the last: for the documentation's test. */
const char *condition_operator_name(size_t i);

#endif
