/* sql_template - a statement with placeholders, filled in once a row so that no value can leave its place.
 *
 * The template is read once with the dialect's own rules for literals, quoted names and comments. So it is known where
 * each placeholder stands: in code its value brings its quotes (or is a bare number or truth value, by its type),
 * inside quotes it is escaped for them. Where a value could not be made safe (comments, $$ texts, behind a letter as in
 * E{name}) the template is refused. What is in braces but no known name stays as it is.
 * Known names: those of the column pick, auto_id with auto_increment, current_timestamp, current_date. */
#ifndef SQL_TEMPLATE_H
#define SQL_TEMPLATE_H

#include "operations/column_pick.h"
#include "operations/sql/sql_increment.h"

struct sql_template;

/* Borrows what it is given. */
enum err sql_template_new(struct sql_template **out, const struct sql_dialect *dialect, const char *text,
                          const struct column_pick *names, const struct sql_increment *increment,
                          struct fault *why) MUST_CHECK;
void sql_template_destroy(struct sql_template **self_p);

/* Appends the row's statement, without a line end. */
enum err sql_template_add(const struct sql_template *self, const struct row *row, struct sql_increment *increment,
                          struct buf *to, struct fault *why) MUST_CHECK;

#endif
