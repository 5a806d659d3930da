/* sql/generate and sql/generate-to-text: an INSERT a row, or a template filled in a row, in the dialect asked for. */
#include "operations/row_set.h"
#include "operations/sql/sql_file.h"
#include "operations/sql/sql_template.h"

#include <stdlib.h>

struct generate {
    const struct arguments *given;
    struct sql_file file;
    struct sql_increment increment;
    struct column_pick pick;
    struct sql_template *template; /* NULL: INSERT statements */
    struct row_set *seen;          /* NULL when duplicates stay */
    struct cell *distinct;         /* the cells that decide whether a row was seen */
    struct buf head;               /* INSERT INTO t (a, b) VALUES */
    struct buf line;               /* the row's text */
    uint64_t batch, in_batch;      /* rows of one INSERT: most, so far */
    uint64_t rows;
};

static enum err read_batch(struct generate *self, struct fault *why)
{
    self->batch = 1;
    if (!arguments_given(self->given, "batch_size"))
        return ERR_OK;
    const json_t *batch = arguments_get(self->given, "batch_size");
    self->batch = json_is_integer(batch) && json_integer_value(batch) > 0 ? (uint64_t)json_integer_value(batch) : 0;
    return self->batch > 0 ? ERR_OK : fault_set(why, ERR_INVALID, "'batch_size' must be a whole number above 0");
}

static enum err generate_check(void *state, const struct arguments *given, struct fault *why)
{
    struct generate *self = state;
    self->given = given;
    const char *name = arguments_text(given, "database_type");
    self->file.dialect = sql_dialect_find(name);
    self->file.transaction = arguments_truth(given, "include_transaction");
    if (!self->file.dialect)
        return fault_set(why, ERR_INVALID, "Unsupported database type: %s. Supported types: postgresql, mysql, sqlite",
                         name);
    enum err err =
        sql_increment_read(&self->increment, arguments_get(given, "auto_increment"), self->file.dialect, why);
    return err == ERR_OK ? read_batch(self, why) : err;
}

static enum err name_fault(enum err err, const char *what, const char *name, size_t len, struct fault *why)
{
    if (err == ERR_INVALID)
        return fault_set(why, ERR_INVALID, "'%.*s' cannot be the name of a %s", (int)len, name, what);
    return fault_set(why, ERR_MEMORY, "Out of memory while naming the columns");
}

static enum err add_name(struct generate *self, const char *name, size_t len, bool first, struct fault *why)
{
    enum err err = first ? ERR_OK : buf_add(&self->head, ", ", 2);
    if (err == ERR_OK)
        err = sql_identifier(self->file.dialect, name, len, &self->head);
    return err == ERR_OK ? ERR_OK : name_fault(err, "column", name, len, why);
}

static enum err write_head(struct generate *self, const char *table, struct fault *why)
{
    bool own = self->increment.in_insert;
    if (own && column_pick_find(&self->pick, self->increment.column, strlen(self->increment.column)))
        return fault_set(why, ERR_INVALID, "Column '%s' is mapped and made by auto_increment at the same time",
                         self->increment.column);
    if (!own && self->pick.count == 0)
        return fault_set(why, ERR_INVALID, "The table has no columns to insert");
    enum err err = buf_add_text(&self->head, "INSERT INTO ");
    if (err == ERR_OK)
        err = sql_qualified(self->file.dialect, table, strlen(table), &self->head);
    if (err == ERR_OK)
        err = buf_add_text(&self->head, " (");
    if (err != ERR_OK)
        return name_fault(err, "table", table, strlen(table), why);
    if (own)
        err = add_name(self, self->increment.column, strlen(self->increment.column), true, why);
    for (uint32_t i = 0; i < self->pick.count && err == ERR_OK; i++)
        err = add_name(self, self->pick.item[i].name, self->pick.item[i].len, i == 0 && !own, why);
    if (err != ERR_OK)
        return err;
    err = buf_add_text(&self->head, ") VALUES ");
    return err == ERR_OK ? ERR_OK : name_fault(err, "column", "", 0, why);
}

/* Only the columns asked for decide, and without `columns` nothing is left out: so it has always been. */
static enum err begin_distinct(struct generate *self, const struct step *step, struct fault *why)
{
    if (self->pick.offered_count == 0 || !arguments_truth(self->given, "remove_duplicates"))
        return ERR_OK;
    self->distinct = calloc(self->pick.offered_count, sizeof *self->distinct);
    if (!self->distinct)
        return fault_set(why, ERR_MEMORY, "Out of memory before the first row");
    return row_set_new(&self->seen, step_memory_max(step), why);
}

static enum err generate_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct generate *self = state;
    const char *table = arguments_text(self->given, "table_name");
    const char *template = arguments_text(self->given, "template");
    self->line = BUF_INIT(SIZE_MAX / 4);
    self->head = BUF_INIT(SIZE_MAX / 4);
    enum err err = column_pick_make(&self->pick, self->given, in, why);
    if (err == ERR_OK && template[0])
        err = sql_template_new(&self->template, self->file.dialect, template, &self->pick, &self->increment, why);
    else if (err == ERR_OK)
        err = write_head(self, table, why);
    if (err == ERR_OK)
        err = begin_distinct(self, step, why);
    return err == ERR_OK ? sql_file_begin(&self->file, step, table, why) : err;
}

static enum err is_wanted(struct generate *self, const struct row *in, bool *wanted, struct fault *why)
{
    *wanted = true;
    if (!self->seen)
        return ERR_OK;
    for (uint32_t i = 0; i < self->pick.offered_count; i++)
        self->distinct[i] = in->cell[self->pick.offered[i]];
    return row_set_add(self->seen, self->distinct, self->pick.offered_count, wanted, why);
}

static enum err add_value(struct generate *self, const struct cell *cell)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    if (cell->kind == CELL_ERROR)
        return buf_add(&self->line, "NULL", 4);
    const char *text = cell_as_text(cell, space, &len);
    return sql_literal(self->file.dialect, text, len, &self->line);
}

static enum err add_tuple(struct generate *self, const struct row *in, struct fault *why)
{
    bool own = self->increment.in_insert;
    enum err err = buf_add_byte(&self->line, '(');
    if (err == ERR_OK && own)
        err = sql_increment_add(&self->increment, &self->line);
    for (uint32_t i = 0; i < self->pick.count && err == ERR_OK; i++) {
        const struct picked *picked = &self->pick.item[i];
        if (i > 0 || own)
            err = buf_add(&self->line, ", ", 2);
        if (err == ERR_OK)
            err = add_value(self, &in->cell[picked->index]);
        if (err != ERR_OK)
            return sql_file_value_fault(err, in->number, picked->name, picked->len, why);
    }
    err = err == ERR_OK ? buf_add_byte(&self->line, ')') : err;
    return err == ERR_OK ? ERR_OK : sql_file_value_fault(err, in->number, "", 0, why);
}

/* A batch stays open until it is full; what ends it is written with the row that fills it, or at the end. */
static enum err add_insert(struct generate *self, const struct row *in, struct fault *why)
{
    enum err err = self->in_batch == 0 ? buf_add(&self->line, self->head.data, self->head.len)
                                       : buf_add(&self->line, ",\n    ", 6);
    if (err == ERR_OK)
        err = add_tuple(self, in, why);
    else
        return sql_file_value_fault(err, in->number, "", 0, why);
    self->file.lines += self->in_batch == 0;
    self->in_batch++;
    if (err != ERR_OK || self->in_batch < self->batch)
        return err;
    self->in_batch = 0;
    err = buf_add(&self->line, ";\n", 2);
    return err == ERR_OK ? ERR_OK : sql_file_value_fault(err, in->number, "", 0, why);
}

static enum err add_statement(struct generate *self, const struct row *in, struct fault *why)
{
    self->file.lines++;
    enum err err = sql_template_add(self->template, in, &self->increment, &self->line, why);
    if (err != ERR_OK)
        return err;
    err = buf_add_byte(&self->line, '\n');
    return err == ERR_OK ? ERR_OK : sql_file_value_fault(err, in->number, "", 0, why);
}

static enum err generate_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    (void)step;
    struct generate *self = state;
    bool wanted;
    enum err err = is_wanted(self, in, &wanted, why);
    if (err != ERR_OK || !wanted)
        return err;
    self->rows++;
    buf_clear(&self->line);
    err = self->template ? add_statement(self, in, why) : add_insert(self, in, why);
    return err == ERR_OK ? output_write(self->file.to, self->line.data, self->line.len, why) : err;
}

static enum err generate_finish(void *state, struct step *step, struct fault *why)
{
    (void)step;
    struct generate *self = state;
    enum err err = self->in_batch > 0 ? output_write(self->file.to, ";\n", 2, why) : ERR_OK;
    return err == ERR_OK ? sql_file_end(&self->file, self->rows, why) : err;
}

static void generate_fini(void *state)
{
    struct generate *self = state;
    sql_template_destroy(&self->template);
    sql_increment_fini(&self->increment);
    column_pick_fini(&self->pick);
    row_set_destroy(&self->seen);
    free(self->distinct);
    buf_fini(&self->head);
    buf_fini(&self->line);
}

/* clang-format off */
#define COMMON_ARGUMENTS \
    {"table_name", NULL, ARGUMENT_TEXT, "\"data\"", "the table, with its schema if it has one"}, \
    {"column_mapping", NULL, ARGUMENT_OBJECT, "{}", "SQL column: data column; empty: every usable column under its name"}, \
    {"columns", NULL, ARGUMENT_TEXTS, "[]", "the columns that may be used; empty: all"}, \
    {"database_type", NULL, ARGUMENT_TEXT, "\"postgresql\"", "postgresql, mysql or sqlite"}, \
    {"auto_increment", "autoIncrement", ARGUMENT_OBJECT, "{}", \
     "{enabled, column_name, increment_type, start_value, sequence_name}: who numbers the rows"}, \
    {"template", NULL, ARGUMENT_TEXT, "\"\"", "a statement with placeholders instead of an INSERT"}, \
    {"batch_size", NULL, ARGUMENT_NUMBER, NULL, "rows of one INSERT; not given: one statement a row"}, \
    {"include_transaction", NULL, ARGUMENT_TRUTH, "true", "put BEGIN and COMMIT around"}, \
    {"remove_duplicates", NULL, ARGUMENT_TRUTH, "false", "with columns: leave out rows whose cells in them came before"}
/* clang-format on */

static const struct argument generate_arguments[] = {COMMON_ARGUMENTS, {.name = NULL}};

#define REMEMBERS "with remove_duplicates, every different row of the columns"

const struct operation sql_generate_operation = {
    .name = "sql/generate",
    .suffix = "sql",
    .error_prefix = "SQL generation operation failed: ",
    .help = "Writes an SQL statement for every row; the next step gets the table this one was given.",
    .remembers = REMEMBERS,
    .makes = MAKES_TEXT,
    .arguments = generate_arguments,
    .state_size = sizeof(struct generate),
    .check = generate_check,
    .begin = generate_begin,
    .row = generate_row,
    .finish = generate_finish,
    .fini = generate_fini,
};

const struct operation sql_text_operation = {
    .name = "sql/generate-to-text",
    .suffix = "sql_text",
    .error_prefix = "SQL generation operation failed: ",
    .help = "Writes an SQL statement for every row, as sql/generate does.",
    .remembers = REMEMBERS,
    .makes = MAKES_TEXT,
    .arguments = generate_arguments,
    .state_size = sizeof(struct generate),
    .check = generate_check,
    .begin = generate_begin,
    .row = generate_row,
    .finish = generate_finish,
    .fini = generate_fini,
};
