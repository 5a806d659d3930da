/* sql_increment - the argument `auto_increment`: who makes the values of a table's id column, and how. */
#ifndef SQL_INCREMENT_H
#define SQL_INCREMENT_H

#include "operations/sql/sql_dialect.h"

#include <jansson.h>

struct sql_increment {
    bool enabled;
    bool in_insert; /* an INSERT names the column: the database does not fill it by itself */
    const char *column;
    bool counted; /* the values are counted here: next, next + 1, ... */
    int64_t next;
    struct buf expression; /* otherwise what makes them: nextval('seq_id'), UUID() */
};

/* `given` is the argument's object; texts are borrowed from it. */
enum err sql_increment_read(struct sql_increment *out, const json_t *given, const struct sql_dialect *dialect,
                            struct fault *why) MUST_CHECK;
void sql_increment_fini(struct sql_increment *self);

/* Appends the next row's value. */
enum err sql_increment_add(struct sql_increment *self, struct buf *to) MUST_CHECK;

#endif
