/* boolean_convert and yes_no_convert: whether the text, in small letters, is one of a list. */
#include "operations/normalize/letter_case.h"
#include "operations/normalize/normalizer.h"
#include "strmap.h"

struct truth {
    struct strmap *words; /* in small letters; the value only marks them as there */
};

static enum err prepare_truth(struct normalization *self, struct fault *why)
{
    struct truth *state = self->state;
    enum err err = strmap_new(&state->words);
    for (size_t i = 0; i < arguments_count(self->parameters, "true_values") && err == ERR_OK; i++) {
        const char *word = arguments_item(self->parameters, "true_values", i);
        buf_clear(&self->text);
        err = letter_case_add(&self->text, CASE_LOWER, word, strlen(word));
        if (err == ERR_OK)
            err = strmap_put(state->words, self->text.len ? self->text.data : "", self->text.len, state, NULL);
    }
    return err == ERR_OK ? ERR_OK : fault_set(why, err, "'true_values' are too much for memory");
}

static void fini_truth(void *state)
{
    struct truth *self = state;
    strmap_destroy(&self->words);
}

static enum err is_true(struct normalization *self, const struct cell *in, bool *out, struct fault *why)
{
    const struct truth *state = self->state;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(in, space, &len);
    buf_clear(&self->text);
    struct cell lower;
    enum err err = normalization_text(self, letter_case_add(&self->text, CASE_LOWER, text, len), &lower, why);
    *out = err == ERR_OK && !cell_is_null(in) && strmap_get(state->words, lower.is.text, lower.len);
    return err;
}

static enum err apply_boolean(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    bool truth;
    enum err err = is_true(self, in, &truth, why);
    *out = (struct cell){.kind = CELL_TRUTH, .is.truth = truth};
    return err;
}

static enum err apply_yes_no(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    bool truth;
    enum err err = is_true(self, in, &truth, why);
    *out = truth ? cell_text("Yes", 3) : cell_text("No", 2);
    return err;
}

static const struct argument boolean_parameters[] = {
    {"true_values", NULL, ARGUMENT_TEXTS, "[\"true\", \"1\", \"yes\", \"y\", \"on\"]",
     "what counts as true, in any case"},
    {.name = NULL},
};

static const struct argument yes_no_parameters[] = {
    {"true_values", NULL, ARGUMENT_TEXTS, "[\"true\", \"1\", \"yes\", \"y\"]", "what counts as `Yes`, in any case"},
    {.name = NULL},
};

const struct normalizer boolean_convert_normalizer = {
    .name = "boolean_convert",
    .help = "true or false",
    .parameters = boolean_parameters,
    .makes = COLUMN_TRUTH,
    .state_size = sizeof(struct truth),
    .prepare = prepare_truth,
    .apply = apply_boolean,
    .fini = fini_truth,
};

const struct normalizer yes_no_convert_normalizer = {
    .name = "yes_no_convert",
    .help = "`Yes` or `No`",
    .parameters = yes_no_parameters,
    .state_size = sizeof(struct truth),
    .prepare = prepare_truth,
    .apply = apply_yes_no,
    .fini = fini_truth,
};
