/* csv/search and excel/search: the rows that meet the conditions, as a table of the wanted format. */
#include "operations/condition.h"
#include "operations/output_format.h"
#include "operations/step.h"

#include <strings.h>

struct search {
    struct conditions *conditions;
    const struct sink_kind *format;
    uint64_t total;
    uint64_t kept;
};

/* `match_all` is the front end's word for the logic; the explicit one wins. */
static enum err read_logic(const struct arguments *given, bool *any, struct fault *why)
{
    const char *logic = arguments_text(given, "logic");
    if (!arguments_given(given, "logic") && arguments_given(given, "match_all"))
        logic = arguments_truth(given, "match_all") ? "AND" : "OR";
    *any = strcasecmp(logic, "OR") == 0;
    if (!*any && strcasecmp(logic, "AND") != 0)
        return fault_set(why, ERR_INVALID, "Logic must be either 'AND' or 'OR'");
    return ERR_OK;
}

static enum err search_check(void *state, const struct arguments *given, struct fault *why)
{
    struct search *self = state;
    bool any;
    if (arguments_count(given, "conditions") == 0)
        return fault_set(why, ERR_INVALID, "At least one search condition is required");
    enum err err = read_logic(given, &any, why);
    if (err == ERR_OK)
        err = conditions_new(&self->conditions, arguments_get(given, "conditions"), any, why);
    if (err != ERR_OK)
        return err;
    const char *format = arguments_text(given, "output_format");
    self->format = output_format_find(format);
    if (self->format)
        return ERR_OK;
    err = output_format_fault(format, why);
    fault_prefix(why, "Failed to save search results: ");
    return err;
}

static enum err search_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct search *self = state;
    enum err err = conditions_bind(self->conditions, in, why);
    if (err != ERR_OK)
        return err;
    return step_begin_table(step, self->format->name, in, step_look(step), why);
}

static enum err search_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct search *self = state;
    bool matches;
    self->total++;
    enum err err = conditions_match(self->conditions, in, &matches, why);
    if (err != ERR_OK || !matches)
        return err;
    self->kept++;
    return step_emit(step, in, why);
}

static enum err search_finish(void *state, struct step *step, struct fault *why)
{
    const struct search *self = state;
    json_t *statistics =
        json_pack("{s:I, s:I}", "total_rows", (json_int_t)self->total, "filtered_rows", (json_int_t)self->kept);
    return step_result(step, "statistics", statistics, why);
}

static void search_fini(void *state)
{
    struct search *self = state;
    conditions_destroy(&self->conditions);
}

/* clang-format off */
#define COMMON_ARGUMENTS \
    {"conditions", NULL, ARGUMENT_LIST, "[]", "conditions, each {column, operator, value}; at least one"}, \
    {"logic", NULL, ARGUMENT_TEXT, "\"AND\"", "AND: every condition must match; OR: one is enough"}, \
    {"match_all", NULL, ARGUMENT_TRUTH, NULL, "another way to say logic: true is AND, false is OR"}
/* clang-format on */

static const struct argument csv_arguments[] = {
    COMMON_ARGUMENTS,
    {"output_format", NULL, ARGUMENT_TEXT, "\"csv\"", "xlsx (or excel), csv, json"},
    {.name = NULL},
};

static const struct argument excel_arguments[] = {
    COMMON_ARGUMENTS,
    {"output_format", NULL, ARGUMENT_TEXT, "\"excel\"", "xlsx (or excel), csv, json"},
    {.name = NULL},
};

const struct operation csv_search_operation = {
    .name = "csv/search",
    .suffix = "search",
    .error_prefix = "CSV operation failed: ",
    .help = "Keeps the rows that meet the conditions.",
    .makes = MAKES_ROWS,
    .look = {.styled_header = true},
    .arguments = csv_arguments,
    .state_size = sizeof(struct search),
    .check = search_check,
    .begin = search_begin,
    .row = search_row,
    .finish = search_finish,
    .fini = search_fini,
};

const struct operation excel_search_operation = {
    .name = "excel/search",
    .suffix = "search",
    .error_prefix = "Excel operation failed: ",
    .help = "Keeps the rows that meet the conditions.",
    .makes = MAKES_ROWS,
    .look = {.styled_header = true},
    .arguments = excel_arguments,
    .state_size = sizeof(struct search),
    .check = search_check,
    .begin = search_begin,
    .row = search_row,
    .finish = search_finish,
    .fini = search_fini,
};
