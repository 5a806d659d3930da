/* regex_replace, remove_special_chars and remove_spaces. */
#include "operations/normalize/normalizer.h"
#include "operations/normalize/python_pattern.h"

struct replacing {
    struct python_pattern *pattern;
};

static enum err prepare_pattern(struct normalization *self, struct fault *why)
{
    struct replacing *state = self->state;
    json_t *pattern = arguments_get(self->parameters, "pattern");
    json_t *replacement = arguments_get(self->parameters, "replacement");
    return python_pattern_new(&state->pattern, json_string_value(pattern), json_string_length(pattern),
                              json_string_value(replacement), json_string_length(replacement), why);
}

static enum err prepare_spaces(struct normalization *self, struct fault *why)
{
    struct replacing *state = self->state;
    return python_pattern_new(&state->pattern, "\\s+", 3, "", 0, why);
}

static void fini_pattern(void *state)
{
    struct replacing *self = state;
    python_pattern_destroy(&self->pattern);
}

static enum err apply_pattern(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    const struct replacing *state = self->state;
    *out = *in;
    if (cell_is_null(in))
        return ERR_OK;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(in, space, &len);
    buf_clear(&self->text);
    enum err err = python_pattern_replace(state->pattern, text, len, &self->text, why);
    return err == ERR_OK || err == ERR_FULL ? normalization_text(self, err, out, why) : err;
}

static const struct argument special_parameters[] = {
    {"pattern", NULL, ARGUMENT_TEXT, "\"[^a-zA-Z0-9\\\\s]\"", "what goes"},
    {"replacement", NULL, ARGUMENT_TEXT, "\"\"", "what stands there instead"},
    {.name = NULL},
};

static const struct argument replace_parameters[] = {
    {"pattern", NULL, ARGUMENT_TEXT, "\"\"", "a regular expression in Python's syntax"},
    {"replacement", NULL, ARGUMENT_TEXT, "\"\"", "what stands there instead; \\1 and \\g<name> are groups"},
    {.name = NULL},
};

const struct normalizer remove_special_chars_normalizer = {
    .name = "remove_special_chars",
    .help = "what matches the pattern goes: without one, every character but blanks, 0-9 and the letters a-z and A-Z",
    .parameters = special_parameters,
    .state_size = sizeof(struct replacing),
    .prepare = prepare_pattern,
    .apply = apply_pattern,
    .fini = fini_pattern,
};

const struct normalizer remove_spaces_normalizer = {
    .name = "remove_spaces",
    .help = "blanks, tabs and line ends go, wherever they stand",
    .state_size = sizeof(struct replacing),
    .prepare = prepare_spaces,
    .apply = apply_pattern,
    .fini = fini_pattern,
};

const struct normalizer regex_replace_normalizer = {
    .name = "regex_replace",
    .help = "every match of a regular expression replaced",
    .parameters = replace_parameters,
    .state_size = sizeof(struct replacing),
    .prepare = prepare_pattern,
    .apply = apply_pattern,
    .fini = fini_pattern,
};
