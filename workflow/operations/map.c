/* excel/map-columns: a new table whose columns are named, ordered and filled by a mapping.
 * An empty cell counts as missing, so a default fills it: files have no other kind of nothing. */
#include "operations/mapping.h"
#include "operations/step.h"
#include "table/header.h"

#include <stdlib.h>

struct target {
    bool from_source;
    uint32_t index;       /* of the source column */
    struct cell standard; /* where there is no source, or its cell is empty; borrows from the arguments */
};

struct map {
    json_t *mapping;      /* borrowed from the arguments: target -> source or {source, default} */
    json_t *other_naming; /* the same from an existing front end, perhaps the other way round; or NULL */
    json_t *turned;       /* owned: other_naming as a mapping */
    bool keeps_others;    /* the columns that no target reads stay too */
    uint32_t count;
    struct target *target;
    struct cell *cell; /* the row being built */
    bool standards;    /* at least one target has a default */
    bool blank;        /* all of `cell` are empty */
    struct header header;
};

static enum err map_check(void *state, const struct arguments *given, struct fault *why)
{
    struct map *self = state;
    self->keeps_others = arguments_truth(given, "keep_unmapped");
    self->mapping = arguments_get(given, "mapping");
    if (json_object_size(self->mapping) > 0)
        return ERR_OK;
    self->other_naming = arguments_get(given, "column_mapping");
    self->mapping = self->other_naming;
    if (json_object_size(self->mapping) > 0)
        return ERR_OK;
    return fault_set(why, ERR_INVALID, "At least one column mapping is required");
}

static int64_t find_value(const struct columns *in, const json_t *value)
{
    return json_is_string(value) ? columns_find(in, json_string_value(value), json_string_length(value)) : -1;
}

/* Two old columns given the same new name cannot both have it. */
static enum err turn_round(struct map *self, struct fault *why)
{
    const char *key;
    size_t key_len;
    json_t *value;
    self->turned = json_object();
    json_object_keylen_foreach(self->other_naming, key, key_len, value)
    {
        const char *name = json_string_value(value);
        size_t name_len = json_string_length(value);
        if (json_object_getn(self->turned, name, name_len))
            return fault_set(why, ERR_INVALID, "Two columns are mapped to '%s'", name);
        if (json_object_setn_new_nocheck(self->turned, name, name_len, json_stringn_nocheck(key, key_len)) != 0)
            return fault_set(why, ERR_MEMORY, "Out of memory while reading the mapping");
    }
    self->mapping = self->turned;
    return ERR_OK;
}

static enum err read_target(struct target *out, const char *name, const json_t *how, const struct columns *in,
                            struct fault *why)
{
    const json_t *source = json_is_object(how) ? json_object_get(how, "source") : how;
    const json_t *standard = json_is_object(how) ? json_object_get(how, "default") : NULL;
    int64_t index = find_value(in, source);
    *out = (struct target){.from_source = index >= 0, .index = index >= 0 ? (uint32_t)index : 0};
    out->standard = cell_empty();
    if (standard && !argument_cell(standard, &out->standard))
        return fault_set(why, ERR_INVALID, "The default of '%s' must be a text, a number, true or false", name);
    return ERR_OK;
}

static enum err allocate(struct map *self, const struct columns *in, struct fault *why)
{
    size_t room = json_object_size(self->mapping) + (self->keeps_others ? in->count : 0);
    self->target = calloc(room, sizeof *self->target);
    self->cell = calloc(room, sizeof *self->cell);
    if (!self->target || !self->cell)
        return fault_set(why, ERR_MEMORY, "Out of memory while reading the mapping");
    return ERR_OK;
}

static void add_target(struct map *self, const struct cell *name, const struct target *target)
{
    self->cell[self->count] = *name;
    self->target[self->count++] = *target;
    self->standards |= target->standard.kind != CELL_EMPTY;
}

/* The table's columns in their order, each under its new names or its own, then the targets without a column. */
static void add_among_others(struct map *self, const struct columns *in, const struct cell *name,
                             const struct target *target, size_t count)
{
    for (uint32_t column = 0; column < in->count; column++) {
        bool read = false;
        for (size_t i = 0; i < count; i++) {
            if (!target[i].from_source || target[i].index != column)
                continue;
            add_target(self, &name[i], &target[i]);
            read = true;
        }
        if (!read)
            add_target(self, &in->name[column],
                       &(struct target){.from_source = true, .index = column, .standard = cell_empty()});
    }
    for (size_t i = 0; i < count; i++)
        if (!target[i].from_source)
            add_target(self, &name[i], &target[i]);
}

static enum err read_mapping(const struct map *self, const struct columns *in, struct cell *name, struct target *target,
                             struct fault *why)
{
    const char *key;
    size_t key_len, i = 0;
    json_t *how;
    json_object_keylen_foreach(self->mapping, key, key_len, how)
    {
        name[i] = cell_text(key, key_len);
        enum err err = read_target(&target[i++], key, how, in, why);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static enum err read_targets(struct map *self, const struct columns *in, struct fault *why)
{
    size_t count = json_object_size(self->mapping);
    struct cell *name = calloc(count, sizeof *name);
    struct target *target = calloc(count, sizeof *target);
    enum err err = name && target ? allocate(self, in, why) : ERR_MEMORY;
    if (!name || !target)
        fault_set(why, err, "Out of memory while reading the mapping");
    if (err == ERR_OK)
        err = read_mapping(self, in, name, target, why);
    if (err == ERR_OK && self->keeps_others)
        add_among_others(self, in, name, target, count);
    for (size_t i = 0; i < count && err == ERR_OK && !self->keeps_others; i++)
        add_target(self, &name[i], &target[i]);
    free(name);
    free(target);
    return err == ERR_OK ? header_make(&self->header, self->cell, self->count, why) : err;
}

static enum err map_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct map *self = state;
    enum err err = ERR_OK;
    if (self->other_naming && mapping_has_columns(self->other_naming, in, MAPPING_KEYS))
        err = turn_round(self, why);
    if (err == ERR_OK)
        err = read_targets(self, in, why);
    if (err != ERR_OK)
        return err;
    return step_begin_table(step, "xlsx", &self->header.columns, step_look(step), why);
}

static void fill_cells(struct map *self, const struct row *in)
{
    for (uint32_t i = 0; i < self->count; i++) {
        const struct target *target = &self->target[i];
        const struct cell *cell = target->from_source ? &in->cell[target->index] : &target->standard;
        bool missing = cell->kind == CELL_EMPTY || cell->kind == CELL_ERROR;
        self->cell[i] = missing ? target->standard : *cell;
    }
}

static enum err map_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    struct map *self = state;
    bool blank = in->blank && !self->standards;
    if (!blank || !self->blank)
        fill_cells(self, in);
    self->blank = blank;
    struct row out = {.number = in->number, .count = self->count, .cell = self->cell, .blank = blank};
    return step_emit(step, &out, why);
}

static void map_fini(void *state)
{
    struct map *self = state;
    header_fini(&self->header);
    json_decref(self->turned);
    free(self->target);
    free(self->cell);
}

static const struct argument map_arguments[] = {
    {"mapping", NULL, ARGUMENT_OBJECT, "{}", "new column: source column, or {source, default}, or {default}"},
    {"column_mapping", NULL, ARGUMENT_OBJECT, NULL,
     "used when mapping is empty: the same, or {column: new name} when every key is a column and no value is"},
    {"keep_unmapped", NULL, ARGUMENT_TRUTH, "false",
     "true: all columns stay, in their order, and the mapping renames some and adds others behind them"},
    {.name = NULL},
};

const struct operation map_operation = {
    .name = "excel/map-columns",
    .suffix = "mapped",
    .error_prefix = "Excel operation failed: ",
    .help = "Makes a table of the mapped columns only, in the order of the mapping.",
    .makes = MAKES_ROWS,
    .look = {.info_sheet = true, .column_widths = true},
    .arguments = map_arguments,
    .state_size = sizeof(struct map),
    .check = map_check,
    .begin = map_begin,
    .row = map_row,
    .fini = map_fini,
};
