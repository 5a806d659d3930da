/* The types that make numbers. What is no number becomes nothing (integer_convert: 0). */
#include "operations/normalize/normalizer.h"
#include "table/number_text.h"

#include <math.h>

#define DECIMALS_MAX 300

static struct cell real(double value)
{
    return isfinite(value) ? (struct cell){.kind = CELL_REAL, .is.real = value + 0.0} : cell_null(); /* -0 is 0 */
}

static double value_of(const struct cell *number)
{
    return number->kind == CELL_INTEGER ? (double)number->is.integer : number->is.real;
}

/* A column of one value cannot be scaled and keeps its numbers. */
static enum err apply_min_max(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)why;
    const struct column_facts *facts = &self->facts;
    *out = cell_as_number(in);
    if (!cell_is_null(out) && facts->max != facts->min)
        *out = real((value_of(out) - facts->min) / (facts->max - facts->min));
    return ERR_OK;
}

static enum err apply_z_score(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)why;
    const struct column_facts *facts = &self->facts;
    *out = cell_as_number(in);
    if (cell_is_null(out))
        return ERR_OK;
    double distance = value_of(out) - facts->mean;
    *out = real(facts->deviation != 0 ? distance / facts->deviation : distance);
    return ERR_OK;
}

/* --- rounding --- */

struct rounding {
    int decimals;
    double power; /* 10^|decimals| */
};

static enum err prepare_round(struct normalization *self, struct fault *why)
{
    struct rounding *state = self->state;
    double decimals = json_number_value(arguments_get(self->parameters, "decimals"));
    if (decimals != rint(decimals) || fabs(decimals) > DECIMALS_MAX)
        return fault_set(why, ERR_INVALID, "'decimals' must be a whole number from -%d to %d", DECIMALS_MAX,
                         DECIMALS_MAX);
    state->decimals = (int)decimals;
    state->power = pow(10, fabs(decimals));
    return ERR_OK;
}

/* To the nearest even digit, by way of a multiplication, as numpy does: 40.555 -> 40.56, 2.675 -> 2.68. */
static double round_value(const struct rounding *state, double value)
{
    double rounded =
        state->decimals < 0 ? rint(value / state->power) * state->power : rint(value * state->power) / state->power;
    return isfinite(rounded) ? rounded : value;
}

static enum err apply_round(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)why;
    const struct rounding *state = self->state;
    *out = cell_as_number(in);
    if (out->kind == CELL_REAL)
        *out = real(round_value(state, out->is.real));
    else if (out->kind == CELL_INTEGER && state->decimals < 0)
        out->is.integer = (int64_t)round_value(state, (double)out->is.integer);
    return ERR_OK;
}

/* --- conversion --- */

/* Beyond 64 bits a whole number stays a real, which is what the workbook would make of it anyhow. */
static enum err apply_integer(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)self;
    (void)why;
    *out = cell_as_number(in);
    if (cell_is_null(out))
        *out = (struct cell){.kind = CELL_INTEGER, .is.integer = 0};
    if (out->kind != CELL_REAL)
        return ERR_OK;
    double whole = trunc(out->is.real);
    if (fabs(whole) < 9.2e18)
        *out = (struct cell){.kind = CELL_INTEGER, .is.integer = (int64_t)whole};
    else
        out->is.real = whole;
    return ERR_OK;
}

static bool belongs_to_amount(char c)
{
    return (c >= '0' && c <= '9') || c == '.' || c == '-';
}

static enum err apply_currency(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    *out = cell_as_number(in);
    if (in->kind != CELL_TEXT)
        return ERR_OK;
    char *at;
    buf_clear(&self->text);
    enum err err = buf_extend(&self->text, in->len, &at);
    if (err != ERR_OK)
        return normalization_text(self, err, out, why);
    size_t len = 0;
    for (uint32_t i = 0; i < in->len; i++)
        if (belongs_to_amount(in->is.text[i]))
            at[len++] = in->is.text[i];
    struct cell amount = cell_text(at, len);
    *out = cell_as_number(&amount);
    return ERR_OK;
}

const struct normalizer min_max_scale_normalizer = {
    .name = "min_max_scale",
    .help = "(x - min) / (max - min) of the column; no number becomes empty, numbers that are all equal stay",
    .need = NEED_RANGE,
    .makes = COLUMN_NUMBER,
    .apply = apply_min_max,
};

const struct normalizer z_score_normalizer = {
    .name = "z_score",
    .help = "(x - mean) / standard deviation of the column as a sample; no number becomes empty",
    .need = NEED_MOMENTS,
    .makes = COLUMN_NUMBER,
    .apply = apply_z_score,
};

static const struct argument round_parameters[] = {
    {"decimals", NULL, ARGUMENT_NUMBER, "2", "digits after the point; negative: before it"},
    {.name = NULL},
};

const struct normalizer round_decimal_normalizer = {
    .name = "round_decimal",
    .help = "rounded, a half to the even digit; no number becomes empty",
    .parameters = round_parameters,
    .makes = COLUMN_NUMBER,
    .state_size = sizeof(struct rounding),
    .prepare = prepare_round,
    .apply = apply_round,
};

const struct normalizer integer_convert_normalizer = {
    .name = "integer_convert",
    .help = "without the digits after the point; no number becomes 0",
    .makes = COLUMN_NUMBER,
    .apply = apply_integer,
};

const struct normalizer currency_format_normalizer = {
    .name = "currency_format",
    .help = "the number that digits, `.` and `-` make (`$2,500.75` becomes 2500.75), otherwise empty",
    .makes = COLUMN_NUMBER,
    .apply = apply_currency,
};
