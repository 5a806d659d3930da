/* json/generate: every row an object, streamed. Without the array wrapper a single row stands alone, so the first row
 * is held back until it is known whether a second one comes. */
#include "buf.h"
#include "operations/held_row.h"
#include "operations/json_stream.h"
#include "operations/mapping.h"
#include "operations/step.h"

#include <stdlib.h>

enum nulls { NULLS_INCLUDE, NULLS_EXCLUDE, NULLS_DEFAULT };

static const char *const null_names[] = {
    [NULLS_INCLUDE] = "include", [NULLS_EXCLUDE] = "exclude", [NULLS_DEFAULT] = "default"};

struct member {
    const char *key; /* borrowed from `members` */
    size_t key_len;
    uint32_t index; /* of the column */
};

struct generate {
    const struct arguments *given;
    struct json_stream out;
    enum nulls nulls;
    bool wrapper;
    json_t *members; /* owned: key -> column index; a key mapped twice keeps its place and its last column */
    uint32_t count;
    struct member *member;
    struct cell *cell;    /* the row's cells, a member each */
    struct held_row held; /* the first row, without wrapper */
    uint64_t memory_max;
    uint64_t rows;
};

static enum err generate_check(void *state, const struct arguments *given, struct fault *why)
{
    struct generate *self = state;
    self->given = given;
    self->out.pretty = arguments_truth(given, "pretty_print");
    self->wrapper = arguments_truth(given, "array_wrapper");
    const char *nulls = arguments_text(given, "null_handling");
    for (size_t i = 0; i < sizeof null_names / sizeof *null_names; i++) {
        if (strcmp(nulls, null_names[i]) == 0) {
            self->nulls = (enum nulls)i;
            return ERR_OK;
        }
    }
    return fault_set(why, ERR_INVALID, "Invalid null_handling: %s. Must be 'include', 'exclude', or 'default'", nulls);
}

static enum err no_memory(struct fault *why)
{
    return fault_set(why, ERR_MEMORY, "Out of memory while choosing columns");
}

/* `columns` restricts what can be mapped; empty means every column. The texts are those existing clients know. */
static enum err mark_columns(const struct generate *self, const struct columns *in, bool *offered, struct fault *why)
{
    size_t count = arguments_count(self->given, "columns");
    struct buf missing = BUF_INIT(FAULT_TEXT_MAX);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < in->count; i++)
        offered[i] = count == 0;
    for (size_t i = 0; i < count; i++) {
        const char *name = arguments_item(self->given, "columns", i);
        int64_t index = columns_find(in, name, strlen(name));
        if (index >= 0)
            offered[index] = true;
        else if (err == ERR_OK)
            err = buf_printf(&missing, "%s'%s'", missing.len ? ", " : "", name);
    }
    bool found = missing.len == 0 && err == ERR_OK;
    if (!found)
        fault_set(why, ERR_INVALID, "\"[%s] not in index\"", buf_text(&missing));
    buf_fini(&missing);
    return found ? ERR_OK : ERR_INVALID;
}

static enum err add_member(struct generate *self, const char *key, size_t len, uint32_t index, struct fault *why)
{
    return json_object_setn_new_nocheck(self->members, key, len, json_integer(index)) == 0 ? ERR_OK : no_memory(why);
}

/* Without a mapping the columns asked for, or all, keep their names. */
static enum err name_members_plainly(struct generate *self, const struct columns *in, struct fault *why)
{
    size_t asked = arguments_count(self->given, "columns");
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < in->count && asked == 0 && err == ERR_OK; i++)
        err = add_member(self, in->name[i].is.text, in->name[i].len, i, why);
    for (size_t i = 0; i < asked && err == ERR_OK; i++) {
        const char *name = arguments_item(self->given, "columns", i);
        err = add_member(self, name, strlen(name), (uint32_t)columns_find(in, name, strlen(name)), why);
    }
    return err;
}

static enum err name_members(struct generate *self, const struct columns *in, const bool *offered, json_t *mapping,
                             struct fault *why)
{
    struct buf missing = BUF_INIT(FAULT_TEXT_MAX);
    bool turned = mapping_has_columns(mapping, in, MAPPING_VALUES); /* {key: column}, as a front end writes it */
    const char *left;
    size_t left_len;
    json_t *right;
    enum err err = ERR_OK, full = ERR_OK;
    json_object_keylen_foreach(mapping, left, left_len, right)
    {
        const char *text = json_string_value(right);
        size_t len = json_string_length(right);
        int64_t index = turned ? columns_find(in, text, len) : columns_find(in, left, left_len);
        if (index < 0 || !offered[index])
            full = full == ERR_OK ? buf_printf(&missing, "%s%s", missing.len ? ", " : "", turned ? text : left) : full;
        else if (!text)
            err = fault_set(why, ERR_INVALID, "The key of column '%s' in 'column_mapping' must be a text", left);
        else
            err = add_member(self, turned ? left : text, turned ? left_len : len, (uint32_t)index, why);
        if (err != ERR_OK)
            break;
    }
    if (err == ERR_OK && (missing.len > 0 || full != ERR_OK))
        err = fault_set(why, ERR_INVALID, "Columns not found in data: %s", buf_text(&missing));
    buf_fini(&missing);
    return err;
}

/* What the rows need, out of the JSON object. */
static enum err list_members(struct generate *self, struct fault *why)
{
    self->count = (uint32_t)json_object_size(self->members);
    self->member = calloc(self->count + 1, sizeof *self->member);
    self->cell = calloc(self->count + 1, sizeof *self->cell);
    if (!self->member || !self->cell)
        return no_memory(why);
    struct member *member = self->member;
    const char *key;
    size_t key_len;
    json_t *index;
    json_object_keylen_foreach(self->members, key, key_len, index)
    {
        *member++ = (struct member){.key = key, .key_len = key_len, .index = (uint32_t)json_integer_value(index)};
    }
    return ERR_OK;
}

static enum err choose_members(struct generate *self, const struct columns *in, struct fault *why)
{
    json_t *mapping = arguments_get(self->given, "column_mapping");
    self->members = json_object();
    bool *offered = calloc(in->count + 1, sizeof *offered);
    enum err err = offered ? mark_columns(self, in, offered, why) : no_memory(why);
    if (err == ERR_OK)
        err = json_object_size(mapping) > 0 ? name_members(self, in, offered, mapping, why)
                                            : name_members_plainly(self, in, why);
    free(offered);
    return err == ERR_OK ? list_members(self, why) : err;
}

static enum err generate_begin(void *state, struct step *step, const struct columns *in, struct fault *why)
{
    struct generate *self = state;
    self->memory_max = step_memory_max(step);
    enum err err = choose_members(self, in, why);
    return err == ERR_OK ? step_begin_text(step, ".json", &self->out.to, why) : err;
}

static bool is_null(const struct cell *cell)
{
    return cell->kind == CELL_EMPTY || cell->kind == CELL_ERROR;
}

static enum err write_member(const struct generate *self, const struct member *member, const struct cell *cell,
                             struct fault *why)
{
    static const struct cell nothing = {.kind = CELL_EMPTY, .is.text = ""};
    enum err err = json_stream_string(&self->out, member->key, member->key_len, why);
    if (err == ERR_OK)
        err = output_write(self->out.to, ": ", 2, why);
    if (self->nulls == NULLS_DEFAULT && is_null(cell))
        cell = &nothing;
    return err == ERR_OK ? json_stream_cell(&self->out, cell, why) : err;
}

static enum err write_object(const struct generate *self, const struct cell *cell, unsigned depth, struct fault *why)
{
    enum err err = output_write(self->out.to, "{", 1, why);
    bool empty = true;
    for (uint32_t i = 0; i < self->count && err == ERR_OK; i++) {
        if (self->nulls == NULLS_EXCLUDE && is_null(&cell[i]))
            continue;
        err = json_stream_next(&self->out, empty, depth + 1, why);
        if (err == ERR_OK)
            err = write_member(self, &self->member[i], &cell[i], why);
        empty = false;
    }
    if (err != ERR_OK)
        return err;
    return empty ? output_write(self->out.to, "}", 1, why) : json_stream_close(&self->out, depth, "}", why);
}

static enum err write_item(const struct generate *self, const struct cell *cell, bool first, struct fault *why)
{
    enum err err = first ? output_write(self->out.to, "[", 1, why) : ERR_OK;
    if (err == ERR_OK)
        err = json_stream_next(&self->out, first, 1, why);
    return err == ERR_OK ? write_object(self, cell, 1, why) : err;
}

static enum err generate_row(void *state, struct step *step, const struct row *in, struct fault *why)
{
    (void)step;
    struct generate *self = state;
    for (uint32_t i = 0; i < self->count; i++)
        self->cell[i] = in->cell[self->member[i].index];
    uint64_t before = self->rows++;
    if (!self->wrapper && before == 0)
        return held_row_keep(&self->held, self->cell, self->count, self->memory_max, why);
    enum err err = ERR_OK;
    if (!self->wrapper && before == 1)
        err = write_item(self, self->held.cell, true, why);
    return err == ERR_OK ? write_item(self, self->cell, before == 0, why) : err;
}

static enum err generate_finish(void *state, struct step *step, struct fault *why)
{
    (void)step;
    const struct generate *self = state;
    if (self->rows == 0)
        return output_write(self->out.to, self->wrapper ? "[]" : "{}", 2, why);
    if (self->rows == 1 && !self->wrapper)
        return write_object(self, self->held.cell, 0, why);
    return json_stream_close(&self->out, 0, "]", why);
}

static void generate_fini(void *state)
{
    struct generate *self = state;
    json_decref(self->members);
    free(self->member);
    free(self->cell);
    held_row_fini(&self->held);
}

static const struct argument generate_arguments[] = {
    {"columns", NULL, ARGUMENT_TEXTS, "[]", "the columns that may be used; empty: all"},
    {"column_mapping", NULL, ARGUMENT_OBJECT, "{}",
     "column: key in the object, or all of them the other way round; empty: every column under its name"},
    {"pretty_print", NULL, ARGUMENT_TRUTH, "true", "an indent of two, or one line"},
    {"null_handling", NULL, ARGUMENT_TEXT, "\"include\"",
     "include: an empty cell is \"\", an error value null; exclude: both are left out; default: both are \"\""},
    {"array_wrapper", "array_format", ARGUMENT_TRUTH, "true", "false: a single row stands without the array"},
    {.name = NULL},
};

const struct operation json_generate_operation = {
    .name = "json/generate",
    .suffix = "json",
    .error_prefix = "JSON generation operation failed: ",
    .help = "Writes every row as a JSON object; the next step gets the table this one was given.",
    .remembers = "without array_wrapper, the first row",
    .makes = MAKES_TEXT,
    .arguments = generate_arguments,
    .state_size = sizeof(struct generate),
    .check = generate_check,
    .begin = generate_begin,
    .row = generate_row,
    .finish = generate_finish,
    .fini = generate_fini,
};
