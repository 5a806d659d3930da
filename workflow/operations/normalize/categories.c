/* categorical_mapping: whole cells replaced by a table. */
#include "operations/normalize/normalizer.h"
#include "strmap.h"

#include <stdlib.h>

struct categories {
    struct strmap *map; /* text of a cell -> struct cell in `to` */
    struct cell *to;    /* borrowing from the parameters */
    bool has_default;
    struct cell standard;
};

static enum err no_scalar(const char *what, struct fault *why)
{
    return fault_set(why, ERR_INVALID, "What '%.200s' is mapped to must be a text, a number, true or false", what);
}

static enum err add_all(struct categories *self, json_t *mapping, struct fault *why)
{
    struct cell *to = self->to;
    const char *from;
    size_t len;
    json_t *value;
    json_object_keylen_foreach(mapping, from, len, value)
    {
        if (!argument_cell(value, to))
            return no_scalar(from, why);
        if (strmap_put(self->map, from, len, to++, NULL) != ERR_OK)
            return fault_set(why, ERR_MEMORY, "'mapping' is too much for memory");
    }
    return ERR_OK;
}

static enum err prepare_categories(struct normalization *self, struct fault *why)
{
    struct categories *state = self->state;
    json_t *mapping = arguments_get(self->parameters, "mapping");
    json_t *standard = arguments_get(self->parameters, "default");
    if (json_object_size(mapping) == 0)
        return fault_set(why, ERR_INVALID, "'mapping' must map at least one value");
    state->has_default = standard != NULL;
    if (standard && !argument_cell(standard, &state->standard))
        return no_scalar("default", why);
    state->to = calloc(json_object_size(mapping), sizeof *state->to);
    if (!state->to || strmap_new(&state->map) != ERR_OK)
        return fault_set(why, ERR_MEMORY, "'mapping' is too much for memory");
    return add_all(state, mapping, why);
}

/* An empty cell is replaced when the mapping names it, but it is no value that the mapping forgot. */
static enum err apply_categories(struct normalization *self, const struct cell *in, struct cell *out, struct fault *why)
{
    (void)why;
    const struct categories *state = self->state;
    char space[CELL_NUMBER_MAX];
    size_t len;
    const char *text = cell_as_text(in, space, &len);
    const struct cell *to = strmap_get(state->map, text, len);
    *out = to ? *to : state->has_default && len > 0 ? state->standard : *in;
    return ERR_OK;
}

static void fini_categories(void *state)
{
    struct categories *self = state;
    strmap_destroy(&self->map);
    free(self->to);
}

static const struct argument categories_parameters[] = {
    {"mapping", NULL, ARGUMENT_OBJECT, "{}", "{whole cell: what it becomes}, upper and lower case told apart"},
    {"default", NULL, ARGUMENT_ANY, NULL, "what any other cell becomes that is not empty; without it, it stays"},
    {.name = NULL},
};

const struct normalizer categorical_mapping_normalizer = {
    .name = "categorical_mapping",
    .help = "whole cells replaced by a table",
    .parameters = categories_parameters,
    .makes = COLUMN_CONTENT,
    .state_size = sizeof(struct categories),
    .prepare = prepare_categories,
    .apply = apply_categories,
    .fini = fini_categories,
};
