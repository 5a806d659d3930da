/* csv/convert-to-excel: the table as it is, as a workbook. */
#include "operations/step.h"

struct convert {
    const char *sheet_name; /* NULL: the configured one */
};

static enum err convert_check(void *state, const struct arguments *given, struct fault *why)
{
    (void)why;
    struct convert *self = state;
    const char *name = arguments_text(given, "sheet_name");
    self->sheet_name = name[0] != '\0' ? name : NULL; /* a form's empty field */
    return ERR_OK;
}

static enum err convert_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    const struct convert *self = state;
    struct layout look = *step_look(step);
    if (self->sheet_name)
        look.sheet_name = self->sheet_name;
    return step_begin_table(step, "xlsx", in, &look, why);
}

static enum err convert_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    (void)state;
    return step_emit(step, in, why);
}

static const struct argument convert_arguments[] = {
    {"sheet_name", NULL, ARGUMENT_TEXT, NULL, "name of the sheet; without it, or empty, `excel.default_sheet_name`"},
    {.name = NULL},
};

const struct operation convert_operation = {
    .name = "csv/convert-to-excel",
    .suffix = "",
    .error_prefix = "CSV operation failed: ",
    .help = "Writes the table as a workbook; every cell stays text.",
    .makes = MAKES_ROWS,
    .look = {.info_sheet = true, .column_widths = true},
    .arguments = convert_arguments,
    .state_size = sizeof(struct convert),
    .check = convert_check,
    .begin = convert_begin,
    .row = convert_row,
};
