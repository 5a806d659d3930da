/* sql_file - the shape of a file of SQL statements: comment lines with totals known only at the end, a transaction
 * around, a statement a line. Totals are written into holes, so nothing is kept. */
#ifndef SQL_FILE_H
#define SQL_FILE_H

#include "operations/sql/sql_dialect.h"
#include "operations/step.h"

struct sql_file {
    const struct sql_dialect *dialect;
    struct output *to; /* borrowed from the step */
    bool transaction;
    uint64_t lines; /* comment lines, BEGIN, statements and COMMIT, as `Total statements` has always counted */
    struct hole statements_hole, rows_hole;
};

/* dialect and transaction are set by the caller; writes all that comes before the first statement. */
enum err sql_file_begin(struct sql_file *self, struct step *step, const char *table, struct fault *why) MUST_CHECK;
enum err sql_file_end(struct sql_file *self, uint64_t rows, struct fault *why) MUST_CHECK;

/* What went wrong with a value: sql_escape()'s code as a fault that names row and column. */
enum err sql_file_value_fault(enum err err, uint64_t row, const char *name, size_t len, struct fault *why) MUST_CHECK;

#endif
