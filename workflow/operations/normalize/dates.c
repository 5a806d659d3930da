/* The types that read dates: cell by cell, in any of the forms that date_text.h knows, in the zone they are written in.
 * What is no date becomes nothing. */
#include "operations/normalize/date_print.h"
#include "operations/normalize/normalizer.h"
#include "table/date_text.h"

#define FORMAT_BYTES_MAX 256

static bool read_date(const struct cell *cell, struct date_parts *out)
{
    char space[CELL_NUMBER_MAX];
    size_t len;
    int64_t us;
    const char *text = cell_as_text(cell, space, &len);
    if (!date_parse_as_written(text, len, &us))
        return false;
    date_split(us, out);
    return true;
}

struct format {
    const char *text;
    size_t len;
};

static enum err prepare_format(struct normalization *self, struct fault *why)
{
    struct format *state = self->state;
    state->text = arguments_text(self->parameters, "format");
    state->len = strlen(state->text);
    if (state->len > FORMAT_BYTES_MAX)
        return fault_set(why, ERR_TOO_LARGE, "'format' is longer than %d bytes", FORMAT_BYTES_MAX);
    return ERR_OK;
}

static enum err apply_format(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    const struct format *state = self->state;
    struct date_parts date;
    *out = cell_null();
    if (!read_date(in, &date))
        return ERR_OK;
    buf_clear(&self->text);
    return normalization_text(self, date_print(&self->text, &date, state->text, state->len), out, why);
}

static enum err extract(const struct cell *in, size_t part, struct cell *out)
{
    struct date_parts date;
    *out = cell_null();
    if (read_date(in, &date)) {
        const int parts[] = {date.year, date.month, date.day};
        *out = (struct cell){.kind = CELL_INTEGER, .is.integer = parts[part]};
    }
    return ERR_OK;
}

static enum err apply_year(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)self;
    (void)why;
    return extract(in, 0, out);
}

static enum err apply_month(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)self;
    (void)why;
    return extract(in, 1, out);
}

static enum err apply_day(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)self;
    (void)why;
    return extract(in, 2, out);
}

static const struct argument date_parameters[] = {
    {"format", NULL, ARGUMENT_TEXT, "\"%Y-%m-%d\"", "a strftime format, in English"},
    {.name = NULL},
};

static const struct argument datetime_parameters[] = {
    {"format", NULL, ARGUMENT_TEXT, "\"%Y-%m-%d %H:%M:%S\"", "a strftime format, in English"},
    {.name = NULL},
};

const struct normalizer date_format_normalizer = {
    .name = "date_format",
    .help = "the date in a format; no date becomes empty",
    .parameters = date_parameters,
    .state_size = sizeof(struct format),
    .prepare = prepare_format,
    .apply = apply_format,
};

const struct normalizer datetime_format_normalizer = {
    .name = "datetime_format",
    .help = "the date and time in a format; no date becomes empty",
    .parameters = datetime_parameters,
    .state_size = sizeof(struct format),
    .prepare = prepare_format,
    .apply = apply_format,
};

const struct normalizer date_extract_year_normalizer = {
    .name = "date_extract_year",
    .help = "the year of the date, a number; no date becomes empty",
    .makes = COLUMN_NUMBER,
    .apply = apply_year,
};

const struct normalizer date_extract_month_normalizer = {
    .name = "date_extract_month",
    .help = "the month, 1 to 12; no date becomes empty",
    .makes = COLUMN_NUMBER,
    .apply = apply_month,
};

const struct normalizer date_extract_day_normalizer = {
    .name = "date_extract_day",
    .help = "the day of the month; no date becomes empty",
    .makes = COLUMN_NUMBER,
    .apply = apply_day,
};
