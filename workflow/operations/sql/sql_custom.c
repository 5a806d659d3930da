/* sql/generate-custom-to-text: the user's own statement, filled in once a row, for PostgreSQL. */
#include "operations/sql/sql_file.h"
#include "operations/sql/sql_template.h"

#define TABLE "data" /* what the file's head has always said */

struct custom {
    const struct arguments *given;
    struct sql_file file;
    struct sql_increment increment;
    struct column_pick pick;
    struct sql_template *template;
    struct buf line;
    uint64_t rows;
};

static enum err custom_check(void *state, const struct arguments *given, struct fault *why)
{
    struct custom *self = state;
    self->given = given;
    self->line = BUF_INIT(SIZE_MAX / 4);
    self->file.dialect = sql_dialect_postgresql;
    self->file.transaction = true;
    const char *template = arguments_text(given, "template");
    if (template[strspn(template, " \t\r\n")] == '\0')
        return fault_set(why, ERR_INVALID, "Template cannot be empty");
    return sql_increment_read(&self->increment, arguments_get(given, "auto_increment"), self->file.dialect, why);
}

static enum err custom_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct custom *self = state;
    enum err err = column_pick_make(&self->pick, self->given, in, why);
    if (err == ERR_OK)
        err = sql_template_new(&self->template, self->file.dialect, arguments_text(self->given, "template"),
                               &self->pick, &self->increment, why);
    return err == ERR_OK ? sql_file_begin(&self->file, step, TABLE, why) : err;
}

static enum err custom_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    (void)step;
    struct custom *self = state;
    buf_clear(&self->line);
    self->rows++;
    self->file.lines++;
    enum err err = sql_template_add(self->template, in, &self->increment, &self->line, why);
    if (err == ERR_OK && buf_add_byte(&self->line, '\n') != ERR_OK)
        err = sql_file_value_fault(ERR_MEMORY, in->number, "", 0, why);
    return err == ERR_OK ? output_write(self->file.to, self->line.data, self->line.len, why) : err;
}

static enum err custom_finish(void *state, struct step *step, struct fault *why)
{
    (void)step;
    struct custom *self = state;
    return sql_file_end(&self->file, self->rows, why);
}

static void custom_fini(void *state)
{
    struct custom *self = state;
    sql_template_destroy(&self->template);
    sql_increment_fini(&self->increment);
    column_pick_fini(&self->pick);
    buf_fini(&self->line);
}

static const struct argument custom_arguments[] = {
    {"columns", NULL, ARGUMENT_TEXTS, "[]", "the columns that may be used; empty: all"},
    {"template", NULL, ARGUMENT_TEXT, "\"\"", "the statement, with placeholders"},
    {"column_mapping", NULL, ARGUMENT_OBJECT, "{}", "placeholder: column; empty: every usable column under its name"},
    {"auto_increment", "autoIncrement", ARGUMENT_OBJECT, "{}",
     "{enabled, increment_type, start_value, sequence_name}: what {auto_id} is"},
    {.name = NULL},
};

const struct operation sql_custom_operation = {
    .name = "sql/generate-custom-to-text",
    .suffix = "sql_custom",
    .error_prefix = "SQL generation operation failed: ",
    .help = "Fills a statement of your own with every row's values; the next step gets the table this one was given.",
    .makes = MAKES_TEXT,
    .arguments = custom_arguments,
    .state_size = sizeof(struct custom),
    .check = custom_check,
    .begin = custom_begin,
    .row = custom_row,
    .finish = custom_finish,
    .fini = custom_fini,
};
