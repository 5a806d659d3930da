/* json_template - a JSON object with placeholders, filled in once a row.
 *
 * The template is read once into the bytes that are the same in every row (brackets, keys, indents, constants) and the
 * places between them; writing a row makes no JSON tree. A text that is one placeholder becomes a typed value, a
 * placeholder in a longer text a part of it. Keys are never filled in. */
#ifndef JSON_TEMPLATE_H
#define JSON_TEMPLATE_H

#include "operations/column_pick.h"
#include "operations/json_stream.h"

struct json_template;

/* pretty, depth: how the object is indented in the file (0: it stands alone). Borrows the template's texts. */
enum err json_template_new(struct json_template **out, const json_t *object, const struct column_pick *names,
                           bool pretty, unsigned depth, struct fault *why) MUST_CHECK;
void json_template_destroy(struct json_template **self_p);

/* cell: those of the row, by the columns' indexes. */
enum err json_template_write(const struct json_template *self, const struct cell *cell, const struct json_stream *to,
                             struct fault *why) MUST_CHECK;

#endif
