/* The table of types, and what is the same for all of them. */
#include "operations/normalize/normalizer.h"
#include "table/number_text.h"
#include "table/source.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>

/* A new type is one row here; the object is defined in the file named. */
#define NORMALIZERS(ROW)                                                                                               \
    ROW(uppercase_normalizer)            /* letter_case.c */                                                           \
    ROW(lowercase_normalizer)            /* letter_case.c */                                                           \
    ROW(title_case_normalizer)           /* letter_case.c */                                                           \
    ROW(trim_whitespace_normalizer)      /* letter_case.c */                                                           \
    ROW(remove_special_chars_normalizer) /* patterns.c */                                                              \
    ROW(remove_spaces_normalizer)        /* patterns.c */                                                              \
    ROW(phone_format_normalizer)         /* phones.c */                                                                \
    ROW(email_format_normalizer)         /* letter_case.c */                                                           \
    ROW(name_format_normalizer)          /* letter_case.c */                                                           \
    ROW(min_max_scale_normalizer)        /* numbers.c */                                                               \
    ROW(z_score_normalizer)              /* numbers.c */                                                               \
    ROW(round_decimal_normalizer)        /* numbers.c */                                                               \
    ROW(integer_convert_normalizer)      /* numbers.c */                                                               \
    ROW(currency_format_normalizer)      /* numbers.c */                                                               \
    ROW(date_format_normalizer)          /* dates.c */                                                                 \
    ROW(datetime_format_normalizer)      /* dates.c */                                                                 \
    ROW(date_extract_year_normalizer)    /* dates.c */                                                                 \
    ROW(date_extract_month_normalizer)   /* dates.c */                                                                 \
    ROW(date_extract_day_normalizer)     /* dates.c */                                                                 \
    ROW(boolean_convert_normalizer)      /* truth.c */                                                                 \
    ROW(yes_no_convert_normalizer)       /* truth.c */                                                                 \
    ROW(regex_replace_normalizer)        /* patterns.c */                                                              \
    ROW(custom_function_normalizer)      /* here */                                                                    \
    ROW(categorical_mapping_normalizer)  /* categories.c */                                                            \
    ROW(remove_duplicates_normalizer)    /* duplicates.c */                                                            \
    ROW(fill_null_values_normalizer)     /* nulls.c */                                                                 \
    ROW(outlier_removal_normalizer)      /* nulls.c */

#define DECLARE(object) extern const struct normalizer object;
NORMALIZERS(DECLARE)

#define POINT_TO(object) &object,
const struct normalizer *const normalizers[] = {NORMALIZERS(POINT_TO) NULL};

const struct normalizer *normalizer_find(const char *name)
{
    for (size_t i = 0; normalizers[i]; i++) {
        const struct normalizer *self = normalizers[i];
        if (strcasecmp(self->name, name) == 0 || (self->alias && strcasecmp(self->alias, name) == 0))
            return self;
    }
    return NULL;
}

/* Running a user's code is what the sandbox is there to prevent. */
static enum err refuse(struct normalization *self, struct fault *why)
{
    return fault_set(why, ERR_UNSUPPORTED,
                     "Unsupported normalization type: %s. A workflow cannot run code of its own; regex_replace and "
                     "categorical_mapping do what most such functions do",
                     self->how->name);
}

const struct normalizer custom_function_normalizer = {
    .name = "custom_function",
    .help = "not supported: always an entry among `errors`",
    .prepare = refuse,
};

static enum err unknown_type(const char *type, struct fault *why)
{
    struct buf names = BUF_INIT(FAULT_TEXT_MAX);
    enum err err = ERR_OK;
    for (size_t i = 0; normalizers[i] && err == ERR_OK; i++)
        err = buf_printf(&names, "%s'%s'", i > 0 ? ", " : "", normalizers[i]->name);
    fault_set(why, ERR_INVALID, "Invalid normalization type: '%.100s'. Valid types are: [%s]", type, buf_text(&names));
    buf_fini(&names);
    return ERR_INVALID;
}

enum err normalization_init(struct normalization *self, const char *type, json_t *parameters,
                            struct allowance *allowance, struct fault *why)
{
    static const struct argument none[] = {{.name = NULL}};
    *self = (struct normalization){.how = normalizer_find(type), .allowance = allowance};
    if (!self->how)
        return unknown_type(type, why);
    if (parameters && !json_is_null(parameters) && !json_is_object(parameters))
        return fault_set(why, ERR_INVALID, "'parameters' must be an object");
    self->text = BUF_INIT(SOURCE_CELL_BYTES_MAX);
    self->need = self->how->need;
    self->state = calloc(1, self->how->state_size + 1);
    if (!self->state)
        return fault_set(why, ERR_MEMORY, "Out of memory before the first row");
    enum err err =
        arguments_new(&self->parameters, self->how->parameters ? self->how->parameters : none, parameters, why);
    return err == ERR_OK && self->how->prepare ? self->how->prepare(self, why) : err;
}

void normalization_fini(struct normalization *self)
{
    if (self->how && self->how->fini && self->state)
        self->how->fini(self->state);
    free(self->state);
    arguments_destroy(&self->parameters);
    buf_fini(&self->text);
    *self = (struct normalization){.how = NULL};
}

enum err normalization_text(struct normalization *self, enum err err, struct cell *out, struct fault *why)
{
    if (err == ERR_FULL)
        return fault_set(why, ERR_TOO_LARGE, "the new text would be longer than %u bytes", SOURCE_CELL_BYTES_MAX);
    if (err != ERR_OK)
        return fault_set(why, err, "out of memory for the new text");
    *out = cell_text(self->text.data, self->text.len);
    return ERR_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* An integer of up to 18 digits, whatever zeros stand before it. */
static bool read_integer(const char *at, const char *end, int64_t *out)
{
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    bool negative = at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    const char *first = at;
    int64_t value = 0;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        if (value >= 100000000000000000)
            return false;
        value = value * 10 + (*at - '0');
    }
    *out = negative ? -value : value;
    return at == end && at > first;
}

static struct cell real_or_null(double value)
{
    return isfinite(value) ? (struct cell){.kind = CELL_REAL, .is.real = value} : cell_null();
}

static struct cell number_in_text(const struct cell *cell)
{
    int64_t integer;
    double real;
    if (read_integer(cell->is.text, cell->is.text + cell->len, &integer))
        return (struct cell){.kind = CELL_INTEGER, .is.integer = integer};
    return number_parse(cell->is.text, cell->len, &real) ? real_or_null(real) : cell_null();
}

struct cell cell_as_number(const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_TEXT: return number_in_text(cell);
    case CELL_INTEGER:
    case CELL_REAL: return *cell;
    case CELL_TRUTH: return (struct cell){.kind = CELL_INTEGER, .is.integer = cell->is.truth};
    case CELL_EMPTY:
    case CELL_ERROR: break;
    }
    return cell_null();
}
