#include "operations/arguments.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const struct argument *table;
    size_t count;
    struct value {
        json_t *json; /* owned; NULL when absent */
        bool given;
    } value[];
};

static const char *const type_names[] = {
    [ARGUMENT_TEXT] = "a text",           [ARGUMENT_TRUTH] = "true or false", [ARGUMENT_NUMBER] = "a number",
    [ARGUMENT_TEXTS] = "a list of texts", [ARGUMENT_OBJECT] = "an object",    [ARGUMENT_LIST] = "a list",
    [ARGUMENT_ANY] = "any value",         [ARGUMENT_FILE] = "a file name",
};

const char *argument_type_name(enum argument_type type)
{
    return type_names[type];
}

const char *argument_file_name(const char *text)
{
    const char *slash = strrchr(text, '/');
    return slash ? slash + 1 : text;
}

bool argument_cell(const json_t *value, struct cell *out)
{
    switch (json_typeof(value)) {
    case JSON_STRING: *out = cell_text(json_string_value(value), json_string_length(value)); return true;
    case JSON_INTEGER: *out = (struct cell){.kind = CELL_INTEGER, .is.integer = json_integer_value(value)}; return true;
    case JSON_REAL: *out = (struct cell){.kind = CELL_REAL, .is.real = json_real_value(value)}; return true;
    case JSON_TRUE:
    case JSON_FALSE: *out = (struct cell){.kind = CELL_TRUTH, .is.truth = json_is_true(value)}; return true;
    case JSON_NULL: *out = cell_empty(); return true;
    case JSON_OBJECT:
    case JSON_ARRAY: break;
    }
    return false;
}

static bool has_type(const json_t *value, enum argument_type type)
{
    switch (type) {
    case ARGUMENT_TEXT:
    case ARGUMENT_FILE: return json_is_string(value);
    case ARGUMENT_TRUTH: return json_is_boolean(value);
    case ARGUMENT_NUMBER: return json_is_number(value);
    case ARGUMENT_TEXTS:
    case ARGUMENT_LIST: return json_is_array(value);
    case ARGUMENT_OBJECT: return json_is_object(value);
    case ARGUMENT_ANY: return true;
    }
    return false;
}

/* A form's text field holds JSON: "true", "100", "[\"id\"]". Returns a new value of the wanted type, or NULL. */
static json_t *read_text_as(const json_t *text, enum argument_type type)
{
    json_t *value = json_loadb(json_string_value(text), json_string_length(text), JSON_DECODE_ANY, NULL);
    if (value && has_type(value, type))
        return value;
    json_decref(value);
    return type == ARGUMENT_TEXTS ? json_pack("[O]", text) : NULL;
}

/* Turns the list's members into texts where they are not, in a new list. */
static enum err texts_only(const struct argument *row, json_t **list_p, struct fault *why)
{
    json_t *texts = json_array();
    size_t i;
    json_t *member;
    json_array_foreach(*list_p, i, member)
    {
        struct cell cell;
        char space[CELL_NUMBER_MAX];
        size_t len;
        if (json_is_null(member) || !argument_cell(member, &cell)) {
            json_decref(texts);
            return fault_set(why, ERR_INVALID, "Argument '%s' must be a list of texts: item %zu is not", row->name,
                             i + 1);
        }
        const char *text = cell_as_text(&cell, space, &len);
        if (json_array_append_new(texts, json_stringn_nocheck(text, len)) != 0) {
            json_decref(texts);
            return fault_set(why, ERR_MEMORY, "Out of memory while reading argument '%s'", row->name);
        }
    }
    json_decref(*list_p);
    *list_p = texts;
    return ERR_OK;
}

static enum err check_size(const struct argument *row, const json_t *value, struct fault *why)
{
    size_t members = json_is_array(value) ? json_array_size(value) : json_object_size(value);
    if (members <= ARGUMENT_ITEMS_MAX)
        return ERR_OK;
    return fault_set(why, ERR_TOO_LARGE, "Argument '%s' has %zu members; %d are allowed", row->name, members,
                     ARGUMENT_ITEMS_MAX);
}

static enum err take(const struct argument *row, json_t *given, struct value *out, struct fault *why)
{
    out->given = true;
    out->json = has_type(given, row->type) ? json_incref(given)
                : json_is_string(given)    ? read_text_as(given, row->type)
                                           : NULL;
    if (!out->json)
        return fault_set(why, ERR_INVALID, "Argument '%s' must be %s", row->name, argument_type_name(row->type));
    enum err err = check_size(row, out->json, why);
    return err == ERR_OK && row->type == ARGUMENT_TEXTS ? texts_only(row, &out->json, why) : err;
}

json_t *argument_find(const struct argument *row, const json_t *given)
{
    json_t *value = json_object_get(given, row->name);
    const char *alias = row->aliases;
    while ((!value || json_is_null(value)) && alias && *alias) {
        size_t len = strcspn(alias, ",");
        char name[64];
        assert(len < sizeof name);
        memcpy(name, alias, len);
        name[len] = '\0';
        value = json_object_get(given, name);
        alias += len + (alias[len] == ',');
    }
    return json_is_null(value) ? NULL : value;
}

static enum err fill(struct arguments *self, const json_t *given, struct fault *why)
{
    for (size_t i = 0; i < self->count; i++) {
        const struct argument *row = &self->table[i];
        json_t *sent = argument_find(row, given);
        if (sent) {
            enum err err = take(row, sent, &self->value[i], why);
            if (err != ERR_OK)
                return err;
        } else if (row->standard) {
            self->value[i].json = json_loads(row->standard, JSON_DECODE_ANY, NULL);
            if (!self->value[i].json || !has_type(self->value[i].json, row->type))
                return fault_set(why, ERR_INTERNAL, "The default of argument '%s' is not its type", row->name);
        }
    }
    return ERR_OK;
}

enum err arguments_new(struct arguments **out, const struct argument *table, const json_t *given, struct fault *why)
{
    *out = NULL;
    if (given && !json_is_null(given) && !json_is_object(given))
        return fault_set(why, ERR_INVALID, "The arguments of a step must be an object");
    size_t count = 0;
    while (table[count].name)
        count++;
    struct arguments *self = calloc(1, sizeof *self + count * sizeof *self->value);
    if (!self)
        return fault_set(why, ERR_MEMORY, "Out of memory while reading the arguments");
    self->table = table;
    self->count = count;
    enum err err = fill(self, given, why);
    if (err != ERR_OK)
        arguments_destroy(&self);
    *out = self;
    return err;
}

void arguments_destroy(struct arguments **self_p)
{
    struct arguments *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (size_t i = 0; i < self->count; i++)
        json_decref(self->value[i].json);
    free(self);
}

static const struct value *find(const struct arguments *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->table[i].name, name) == 0)
            return &self->value[i];
    }
    assert(!"an operation asks for an argument that is not in its table");
    return NULL;
}

bool arguments_given(const struct arguments *self, const char *name)
{
    return find(self, name)->given;
}

json_t *arguments_get(const struct arguments *self, const char *name)
{
    return find(self, name)->json;
}

const char *arguments_text(const struct arguments *self, const char *name)
{
    const char *text = json_string_value(arguments_get(self, name));
    return text ? text : "";
}

bool arguments_truth(const struct arguments *self, const char *name)
{
    return json_is_true(arguments_get(self, name));
}

size_t arguments_count(const struct arguments *self, const char *name)
{
    return json_array_size(arguments_get(self, name));
}

const char *arguments_item(const struct arguments *self, const char *name, size_t i)
{
    return json_string_value(json_array_get(arguments_get(self, name), i));
}
