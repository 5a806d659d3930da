/* The types that fill empty cells, and that make them. */
#include "operations/normalize/normalizer.h"

static const struct {
    const char *name;
    enum fact_need need;
} methods[] = {
    {"value", NEED_NOTHING},
    {"mean", NEED_MOMENTS},
    {"median", NEED_QUANTILES},
    {"mode", NEED_MODE},
};

struct filling {
    struct cell value;
};

static enum err prepare_fill(struct normalization *self, struct fault *why)
{
    struct filling *state = self->state;
    if (!argument_cell(arguments_get(self->parameters, "value"), &state->value))
        return fault_set(why, ERR_INVALID, "'value' must be a text, a number, true or false");
    const char *method = arguments_text(self->parameters, "method");
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i].name, method) == 0) {
            self->need = methods[i].need;
            return ERR_OK;
        }
    }
    return fault_set(why, ERR_INVALID, "Invalid method: %.100s. Must be 'value', 'mean', 'median' or 'mode'", method);
}

/* What an empty cell gets; the value where the column has nothing to take a mean or a mode of. */
static struct cell filling(const struct normalization *self)
{
    const struct filling *state = self->state;
    const struct column_facts *facts = &self->facts;
    switch (self->need) {
    case NEED_MOMENTS: return facts->numbers ? (struct cell){.kind = CELL_REAL, .is.real = facts->mean} : state->value;
    case NEED_QUANTILES:
        return facts->numbers ? (struct cell){.kind = CELL_REAL, .is.real = facts->median} : state->value;
    case NEED_MODE: return cell_is_null(&facts->mode) ? state->value : facts->mode;
    case NEED_NOTHING:
    case NEED_RANGE: break;
    }
    return state->value;
}

static enum err apply_fill(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)why;
    *out = cell_is_null(in) || in->kind == CELL_EMPTY ? filling(self) : *in;
    return ERR_OK;
}

/* --- outliers --- */

struct bounds {
    double multiplier;
};

static enum err prepare_outliers(struct normalization *self, struct fault *why)
{
    (void)why;
    struct bounds *state = self->state;
    state->multiplier = json_number_value(arguments_get(self->parameters, "multiplier"));
    return ERR_OK;
}

static enum err apply_outliers(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)why;
    const struct bounds *state = self->state;
    const struct column_facts *facts = &self->facts;
    *out = *in;
    struct cell number = cell_as_number(in);
    if (cell_is_null(&number) || in->kind == CELL_TRUTH)
        return ERR_OK;
    double value = number.kind == CELL_INTEGER ? (double)number.is.integer : number.is.real;
    double reach = state->multiplier * (facts->q3 - facts->q1);
    if (!(value >= facts->q1 - reach && value <= facts->q3 + reach))
        *out = cell_null();
    return ERR_OK;
}

static const struct argument fill_parameters[] = {
    {"value", NULL, ARGUMENT_ANY, "\"\"", "what stands in an empty cell, and where the method finds nothing"},
    {"method", NULL, ARGUMENT_TEXT, "\"value\"", "value, or of the column: mean, median (of its numbers), mode"},
    {.name = NULL},
};

const struct normalizer fill_null_values_normalizer = {
    .name = "fill_null_values",
    .help = "empty cells get a value; of equally frequent values the smallest is the mode",
    .parameters = fill_parameters,
    .makes = COLUMN_SAME,
    .state_size = sizeof(struct filling),
    .prepare = prepare_fill,
    .apply = apply_fill,
};

static const struct argument outlier_parameters[] = {
    {"multiplier", NULL, ARGUMENT_NUMBER, "1.5", "how many times the distance of the quartiles is still near"},
    {.name = NULL},
};

const struct normalizer outlier_removal_normalizer = {
    .name = "outlier_removal",
    .help = "numbers far outside the quartiles become empty; other cells stay",
    .parameters = outlier_parameters,
    .need = NEED_QUANTILES,
    .makes = COLUMN_SAME,
    .state_size = sizeof(struct bounds),
    .prepare = prepare_outliers,
    .apply = apply_outliers,
};
